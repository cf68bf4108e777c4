"""What a step of an augmentation is: draw the numbers first, apply them afterwards.

The numbers are drawn on the CPU for the whole batch, so that they are the same on every device, and a test can pass
its own.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Draws = dict[str, Tensor]


@dataclass(frozen=True)
class BatchContext:
    """Which images a batch has, and when: for a step that goes by it and not by chance.

    Attributes:
        seed: of the run.
        epoch: from 0.
        indices: (N,) int64, the images' places in the dataset's training set.
    """

    seed: int
    epoch: int
    indices: Tensor


class ImageStep(Protocol):
    """A step that changes images, each for itself, and keeps their labels and shape.

    `draw` uses no more of a batch than its shape, and has a row of numbers for each image. `apply` takes and returns
    (N, C, H, W), uint8.
    """

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws: ...

    def apply(self, images: Tensor, draws: Draws) -> Tensor: ...


class ContextStep(Protocol):
    """An ImageStep whose numbers are a function of the moment."""

    def draw_at(self, context: BatchContext) -> Draws: ...

    def apply(self, images: Tensor, draws: Draws) -> Tensor: ...


class MixStep(Protocol):
    """A step that mixes images: normalized floats (N, C, H, W) and their targets (N, num_classes)."""

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws: ...

    def mix(self, images: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]: ...
