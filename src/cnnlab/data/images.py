"""A dataset as tensors."""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class Split:
    """uint8 images (N, C, H, W) and their int64 labels (N,)."""

    images: Tensor
    labels: Tensor


@dataclass
class RawDataset:
    """A dataset as read from its source; label i is the class `classes[i]`."""

    train: Split
    test: Split
    classes: tuple[str, ...]
