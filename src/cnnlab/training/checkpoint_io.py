"""How Lightning writes a checkpoint."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.types import _PATH


class DirectCheckpointIO(TorchCheckpointIO):
    """Write to the given path. Lightning's own writes to $TMPDIR first, which may be small, and leaves a file there."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any = None) -> None:
        content = io.BytesIO()  # so that a full disk raises OSError with the system's reason
        torch.save(checkpoint, content)
        Path(path).write_bytes(content.getbuffer())
