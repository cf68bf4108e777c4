"""Protocols for augmentation steps: draw the random numbers first, then apply them.

Steps draw on the CPU for the whole batch. The numbers are therefore the same on every device, and a test can pass its
own.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

Draws = dict[str, Tensor]


@dataclass(frozen=True)
class BatchContext:
    """The epoch and the images of a batch, for steps that depend on them and not on chance.

    Attributes:
        seed: seed of the run.
        epoch: starts at 0.
        indices: (N,) int64, index of each image in the training set.
        progress: of the run, in [0, 1].
    """

    seed: int
    epoch: int
    indices: Tensor
    progress: float = 1.0


@runtime_checkable
class ImageStep(Protocol):
    """A random step that changes each image independently and preserves its label and shape.

    `draw` reads only the shape of the batch and returns one row per image. `apply` maps uint8 (N, C, H, W) to uint8
    (N, C, H, W).
    """

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws: ...

    def apply(self, images: Tensor, draws: Draws) -> Tensor: ...


@runtime_checkable
class ContextStep(Protocol):
    """Like ImageStep, but the numbers are a function of the epoch and the image index."""

    def draw_for(self, context: BatchContext) -> Draws: ...

    def apply(self, images: Tensor, draws: Draws) -> Tensor: ...


@runtime_checkable
class MixStep(Protocol):
    """A random step that mixes normalized images (N, C, H, W) and their targets (N, num_classes)."""

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws: ...

    def mix(self, images: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]: ...
