"""`benchmark`."""

from cnnlab.benchmarks.results import run_bench as run

__all__ = ["run"]
