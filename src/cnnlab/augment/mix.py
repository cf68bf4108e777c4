"""Mix images and their labels; the fraction, the partner and the box are drawn for every image."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.augment.geometric import box_mask
from cnnlab.augment.step import Draws
from cnnlab.limits import Positive, checked


class _Mix:
    @checked
    def __init__(self, alpha: Positive) -> None:
        self.alpha = alpha

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """Draw `fraction` (N,), the weight of the image itself, from Beta(alpha, alpha), and `partner` (N,)."""
        seed = int(torch.randint(2**62, (), generator=generator))
        fraction = np.random.default_rng(seed).beta(self.alpha, self.alpha, size=len(images))
        partner = torch.randperm(len(images), generator=generator)
        return {"fraction": torch.from_numpy(fraction).float(), "partner": partner}


def _blend(targets: Tensor, draws: Draws, fraction: Tensor) -> Tensor:
    return targets * fraction[:, None] + targets[draws["partner"]] * (1 - fraction[:, None])


class MixUp(_Mix):
    """Average each image with its partner (Zhang et al., "mixup: beyond empirical risk minimization", 2017).

    Args:
        alpha: parameter of the Beta distribution of the weight.
    """

    def mix(self, images: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        fraction = draws["fraction"]
        mixed = images.lerp(images[draws["partner"]], 1 - fraction[:, None, None, None])
        return mixed, _blend(targets, draws, fraction)


class CutMix(_Mix):
    """Paste a box of the partner into each image (Yun et al., "CutMix", 2019).

    The labels are weighted by the pixels that each image contributes after the box is clipped at the border.

    Args:
        alpha: parameter of the Beta distribution of the fraction outside the box.
    """

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """Also draw `y` and `x` (N,), the center of the box, in pixels."""
        y, x = torch.randint(images.shape[-1], (2, len(images)), generator=generator)
        return super().draw(images, generator) | {"y": y, "x": x}

    def mix(self, images: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        half = (0.5 * images.shape[-1] * (1 - draws["fraction"]).sqrt()).long()
        box = box_mask(images, draws["y"] - half, draws["x"] - half, draws["y"] + half, draws["x"] + half)
        mixed = torch.where(box[:, None], images[draws["partner"]], images)
        return mixed, _blend(targets, draws, 1 - box.float().mean((1, 2)))


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Convert labels (N,) to float targets (N, num_classes)."""
    return F.one_hot(labels, num_classes).float()
