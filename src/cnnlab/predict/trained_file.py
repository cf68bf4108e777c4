"""A trained network from a file of any kind that cnnlab writes."""

from pathlib import Path

from cnnlab.runs.trained_network import Trained, load_trained


def load_file(path: str | Path) -> Trained:
    """The trained network in a checkpoint or safetensors file.

    Raises:
        UserError: there is no such file, it is damaged or of another kind, or its weights do not fit its network.
    """
    return load_trained(path)
