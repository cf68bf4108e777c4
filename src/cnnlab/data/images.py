"""A whole dataset in memory, and why one cannot be had."""

from dataclasses import dataclass

from torch import Tensor


class SourceError(Exception):
    """Why a source cannot be used; `absent` where it is simply not there."""

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
    train: Split
    test: Split
    classes: tuple[str, ...]
