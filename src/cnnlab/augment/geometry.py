"""Crops, reflections and erased squares."""

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.augment.step import Draws, ImageFacts
from cnnlab.errors import UserError


class RandomCrop:
    """Pad with zeros on all sides, then crop the original size at a random place.

    Args:
        padding: share of the side, rounded to pixels: 0.125 is 4 of 32.
    """

    def __init__(self, padding: float) -> None:
        if not 0 <= padding <= 1:
            raise UserError(f"padding must be a share of the side between 0 and 1, got {padding}")
        self.padding = padding

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """`top` and `left` (N,): where the crop begins in the padded image, in pixels."""
        places = 2 * round(self.padding * images.shape[-1]) + 1
        top, left = torch.randint(places, (2, len(images)), generator=generator)
        return {"top": top, "left": left}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        n, channels, height, width = images.shape
        padding = round(self.padding * width)
        padded = F.pad(images, (padding, padding, padding, padding))
        rows = draws["top"][:, None] + torch.arange(height, device=images.device)
        columns = draws["left"][:, None] + torch.arange(width, device=images.device)
        image = torch.arange(n, device=images.device)[:, None, None, None]
        channel = torch.arange(channels, device=images.device)[:, None, None]
        return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


class RandomFlip:
    """Reflect left to right, half of the images."""

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """`flip` (N,): bool."""
        return {"flip": torch.rand(len(images), generator=generator) < 0.5}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        return torch.where(draws["flip"][:, None, None, None], images.flip(-1), images)


class Cutout:
    """Set a square around a random pixel to the mean colour: DeVries and Taylor, "Cutout", 2017.

    The square may reach over the border, as in the paper.

    Args:
        size: the square's side as a share of the image's.
    """

    def __init__(self, size: float, facts: ImageFacts) -> None:
        if not 0 < size <= 1:
            raise UserError(f"cutout's size must be a share of the side above 0 and at most 1, got {size}")
        self.size = size
        self.mean = (255 * torch.tensor(facts.mean)).round().to(torch.uint8)[:, None, None]

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """`y` and `x` (N,): the square's centre, in pixels."""
        y, x = torch.randint(images.shape[-1], (2, len(images)), generator=generator)
        return {"y": y, "x": x}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        side = round(self.size * images.shape[-1])
        top, left = draws["y"] - side // 2, draws["x"] - side // 2
        erased = box_mask(images, top, left, top + side, left + side)
        return torch.where(erased[:, None], self.mean.to(images.device), images)


def box_mask(images: Tensor, top: Tensor, left: Tensor, bottom: Tensor, right: Tensor) -> Tensor:
    """bool (N, H, W), true in each image's box; the bounds are (N,) in pixels, the last ones excluded."""
    y = torch.arange(images.shape[-2], device=images.device)
    x = torch.arange(images.shape[-1], device=images.device)
    rows = (y >= top[:, None]) & (y < bottom[:, None])
    columns = (x >= left[:, None]) & (x < right[:, None])
    return rows[:, :, None] & columns[:, None, :]
