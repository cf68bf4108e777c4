"""`lab`."""

from cnnlab.lab.notebook import run_lab as run

__all__ = ["run"]
