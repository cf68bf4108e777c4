"""A dataset as tensors, and the error of a source that cannot be read."""

from dataclasses import dataclass

from torch import Tensor


class SourceError(Exception):
    """A source cannot be used; `absent` is True if it does not exist, and False if it is damaged or incomplete."""

    def __init__(self, reason: str, absent: bool = False) -> None:
        super().__init__(reason)
        self.absent = absent


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
