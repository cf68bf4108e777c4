"""How Lightning writes a checkpoint."""

from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.types import _PATH


class DirectCheckpointIO(TorchCheckpointIO):
    """Write to the given path. Lightning's own writes to $TMPDIR first, which may be small, and leaves a file there."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any = None) -> None:
        torch.save(checkpoint, path)
