"""Crops, reflections and erased squares."""

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.augment.step import BatchContext, Draws
from cnnlab.errors import one_of
from cnnlab.image_spec import ImageSpec

MODES = ("zeros", "reflect")


class RandomCrop:
    """Pad on all sides, then crop the original size at a random place.

    Args:
        padding: share of the side, rounded to pixels: 0.125 is 4 of 32.
        mode: of what is padded: `zeros`, or `reflect`: the image mirrored at its outermost pixels.
    """

    def __init__(self, padding: float, mode: str = "zeros") -> None:
        one_of("mode", mode, MODES, ValueError)
        most = 1 if mode == "zeros" else 0.5  # a reflection ends where the image does
        if not 0 <= padding <= most:
            raise ValueError(f"padding must be a fraction of the side between 0 and {most}, got {padding}")
        self.padding = padding
        self.mode = {"zeros": "constant"}.get(mode, mode)  # PyTorch's word

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """`top` and `left` (N,): where the crop begins in the padded image, in pixels."""
        places = 2 * round(self.padding * images.shape[-1]) + 1
        top, left = torch.randint(places, (2, len(images)), generator=generator)
        return {"top": top, "left": left}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        n, channels, height, width = images.shape
        padding = round(self.padding * width)
        padded = F.pad(images, (padding, padding, padding, padding), mode=self.mode).contiguous()
        image, channel, row, pixel = padded.stride()
        reach = (channels - 1) * channel + (height - 1) * row + width - 1  # of a window, from its first number
        # A window begins at every number, most of them across rows; only the drawn ones are read, row by row, which is
        # several times as fast as pixel by pixel.
        count = max(0, padded.numel() - reach)
        windows = padded.as_strided((count, channels, height, width), (pixel, channel, row, pixel))
        first = image * torch.arange(n, device=images.device) + row * draws["top"] + draws["left"]
        return windows.index_select(0, first)


class RandomFlip:
    """Reflect left to right, half of the images."""

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """`flip` (N,): bool."""
        return {"flip": torch.rand(len(images), generator=generator) < 0.5}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        if images.is_cuda:  # counting the drawn ones would wait for the card
            return torch.where(draws["flip"][:, None, None, None], images.flip(-1), images)
        flipped = draws["flip"].nonzero().squeeze(1)
        return images.index_copy(0, flipped, images.index_select(0, flipped).flip(-1))


class AlternatingFlip(RandomFlip):
    """Reflect half of the images, drawn once, in every even epoch and the others in every odd one.

    Jordan 2024 (arXiv:2404.00498), section 3.6: in any two epochs in a row an image comes once each way, and not, as it
    may by chance, twice the same.
    """

    def draw_at(self, context: BatchContext) -> Draws:
        """`flip` (N,): bool, a function of seed, epoch and each image's index."""
        return {"flip": _coins(context.indices, context.seed) ^ (context.epoch % 2 == 1)}


def _coins(indices: Tensor, seed: int) -> Tensor:
    """A fair and fixed bool for each index: mixed as in SplitMix64, of Steele et al. 2014; the products overflow."""
    x = indices + (seed + 1) * 0x1E3779B97F4A7C15 % 2**62
    for shift, factor in ((30, 0x3F58476D1CE4E5B9), (27, 0x14D049BB133111EB)):
        x = (x ^ (x >> shift)) * factor
    return x < 0


class Cutout:
    """Set a square around a random pixel to the mean color: DeVries and Taylor, "Cutout", 2017.

    The square may reach over the border, as in the paper.

    Args:
        size: the square's side as a share of the image's.
    """

    def __init__(self, size: float, spec: ImageSpec) -> None:
        if not 0 < size <= 1:
            raise ValueError(f"size must be a fraction of the side above 0 and at most 1, got {size}")
        self.size = size
        self.mean = (255 * torch.tensor(spec.mean)).round().to(torch.uint8)[:, None, None]

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """`y` and `x` (N,): the square's center, in pixels."""
        y, x = torch.randint(images.shape[-1], (2, len(images)), generator=generator)
        return {"y": y, "x": x}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        side = round(self.size * images.shape[-1])
        top, left = draws["y"] - side // 2, draws["x"] - side // 2
        erased = box_mask(images, top, left, top + side, left + side)
        return torch.where(erased[:, None], self.mean.to(images.device, non_blocking=True), images)


def box_mask(images: Tensor, top: Tensor, left: Tensor, bottom: Tensor, right: Tensor) -> Tensor:
    """bool (N, H, W), true in each image's box; the bounds are (N,) in pixels, the last ones excluded."""
    y = torch.arange(images.shape[-2], device=images.device)
    x = torch.arange(images.shape[-1], device=images.device)
    rows = (y >= top[:, None]) & (y < bottom[:, None])
    columns = (x >= left[:, None]) & (x < right[:, None])
    return rows[:, :, None] & columns[:, None, :]
