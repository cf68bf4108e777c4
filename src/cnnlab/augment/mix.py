"""Mixing images and their labels; the share, the partner and the box are drawn for every image."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.augment.geometric import box_mask
from cnnlab.augment.step import Draws


class _Mix:
    def __init__(self, alpha: float) -> None:
        if alpha <= 0:
            raise ValueError(f"alpha must be above 0, got {alpha}")
        self.alpha = alpha

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """`share` (N,): what an image keeps of itself, from Beta(alpha, alpha); `partner` (N,): a permutation."""
        seed = int(torch.randint(2**62, (), generator=generator))
        fraction = np.random.default_rng(seed).beta(self.alpha, self.alpha, size=len(images))
        partner = torch.randperm(len(images), generator=generator)
        return {"fraction": torch.from_numpy(fraction).float(), "partner": partner}


def _blend(targets: Tensor, draws: Draws, fraction: Tensor) -> Tensor:
    return targets * fraction[:, None] + targets[draws["partner"]] * (1 - fraction[:, None])


class MixUp(_Mix):
    """Weighted means of two images: Zhang et al., "mixup: beyond empirical risk minimization", 2017.

    Args:
        alpha: of the Beta distribution of the weight.
    """

    def mix(self, images: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        fraction = draws["fraction"]
        mixed = images.lerp(images[draws["partner"]], 1 - fraction[:, None, None, None])
        return mixed, _blend(targets, draws, fraction)


class CutMix(_Mix):
    """A box of the partner pasted into the image: Yun et al., "CutMix", 2019.

    Args:
        alpha: of the Beta distribution of the share that the image keeps; the label's share is the pixels' after the
            box is cut off at the border.
    """

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """Also `y` and `x` (N,): the box's center in pixels."""
        y, x = torch.randint(images.shape[-1], (2, len(images)), generator=generator)
        return super().draw(images, generator) | {"y": y, "x": x}

    def mix(self, images: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        half = (0.5 * images.shape[-1] * (1 - draws["fraction"]).sqrt()).long()
        box = box_mask(images, draws["y"] - half, draws["x"] - half, draws["y"] + half, draws["x"] + half)
        mixed = torch.where(box[:, None], images[draws["partner"]], images)
        return mixed, _blend(targets, draws, 1 - box.float().mean((1, 2)))


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """(N,) labels as float targets (N, num_classes)."""
    return F.one_hot(labels, num_classes).float()
