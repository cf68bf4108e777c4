"""Random crops, flips and erased squares."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.augment.step import BatchContext, Draws
from cnnlab.errors import one_of
from cnnlab.image_spec import ImageSpec
from cnnlab.limits import Fraction, FractionAbove0, FractionInside, checked

Mode = Literal["zeros", "reflect"]
MODES = {"zeros": "constant", "reflect": "reflect"}  # to the names in F.pad


class RandomCrop:
    """Pad all sides, then crop the original size at a random position.

    Args:
        padding: fraction of the image's side, rounded to pixels: 0.125 is 4 of 32 pixels.
        mode: `zeros`, or `reflect` to pad with the image mirrored at its border pixels.
    """

    @checked
    def __init__(self, padding: Fraction, mode: Mode = "zeros") -> None:
        one_of("mode", mode, MODES, ValueError)
        if mode == "reflect" and padding > 0.5:  # an image cannot be mirrored further
            raise ValueError(f"padding must be at most 0.5 with mode=reflect, got {padding}")
        self.padding = padding
        self.mode = MODES[mode]

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """Draw `top` and `left` (N,), the corner of the crop in the padded image, in pixels."""
        positions = 2 * round(self.padding * images.shape[-1]) + 1
        top, left = torch.randint(positions, (2, len(images)), generator=generator)
        return {"top": top, "left": left}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        padding = round(self.padding * images.shape[-1])
        padded = F.pad(images, (padding, padding, padding, padding), mode=self.mode)
        return cropped(padded, draws["top"], draws["left"], images.shape[-2:])


class GrowingCrop:
    """Crop smaller images in the first parts of a run, which take less time; the scale of the objects stays.

    Images that grow during training are from Howard's fast.ai entry to DAWNBench, 2018, which resized them. The network
    must take images of any size.

    Args:
        stages: pairs (until, size): up to the fraction `until` of the run, crop the fraction `size` of the image's
            side. After the last pair, images are whole.

    Raises:
        ValueError: `until` does not rise from pair to pair.
    """

    @checked
    def __init__(self, stages: Sequence[tuple[FractionInside, FractionInside]]) -> None:
        ends = [until for until, _ in stages]
        if ends != sorted(set(ends)):
            raise ValueError(f"stages must have rising fractions of the run, got {ends}")
        self.stages = [(until, size) for until, size in stages]

    def size_at(self, progress: float) -> float:
        """Return the fraction of the side at `progress`, which is in [0, 1]."""
        return next((size for until, size in self.stages if progress < until), 1.0)

    def draw(self, images: Tensor, generator: torch.Generator, size: float) -> Draws:
        """Draw `top` and `left` (N,), the corner of a crop of the fraction `size` of the side, in pixels."""
        side = images.shape[-1]
        top, left = torch.randint(side - round(size * side) + 1, (2, len(images)), generator=generator)
        return {"top": top, "left": left}

    def apply(self, images: Tensor, draws: Draws, size: float) -> Tensor:
        """Crop (N, C, H, W) to the fraction `size` of its sides."""
        height, width = images.shape[-2:]
        return cropped(images, draws["top"], draws["left"], (round(size * height), round(size * width)))


def cropped(images: Tensor, top: Tensor, left: Tensor, size: Sequence[int]) -> Tensor:
    """Crop (N, C, H, W) to `size` (height, width) at a corner per image, in pixels."""
    images = images.contiguous()
    image, channel, row, pixel = images.stride()
    n, channels = images.shape[:2]
    height, width = size
    span = (channels - 1) * channel + (height - 1) * row + width - 1  # from a window's first element to its last
    # A view with one window for every element. Most windows wrap around rows, but only the drawn ones are read. Reading
    # them row by row is several times as fast as gathering pixels.
    count = max(0, images.numel() - span)
    windows = images.as_strided((count, channels, height, width), (pixel, channel, row, pixel))
    return windows.index_select(0, image * torch.arange(n, device=images.device) + row * top + left)


class RandomFlip:
    """Flip half of the images left to right."""

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """Draw `flip` (N,), bool."""
        return {"flip": torch.rand(len(images), generator=generator) < 0.5}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        if images.is_cuda:  # nonzero would synchronize with the GPU
            return torch.where(draws["flip"][:, None, None, None], images.flip(-1), images)
        flipped = draws["flip"].nonzero().squeeze(1)
        return images.index_copy(0, flipped, images.index_select(0, flipped).flip(-1))


class AlternatingFlip(RandomFlip):
    """Flip a fixed random half of the images in even epochs and the other half in odd epochs.

    Jordan 2024 (arXiv:2404.00498), section 3.6: in any two consecutive epochs, the network sees each image once in
    each orientation.
    """

    def draw_for(self, context: BatchContext) -> Draws:
        """Compute `flip` (N,), bool, from the seed, the epoch and each image's index."""
        return {"flip": _coin_flips(context.indices, context.seed) ^ (context.epoch % 2 == 1)}


def _coin_flips(indices: Tensor, seed: int) -> Tensor:
    """Hash each index to a fair bool with SplitMix64 (Steele et al. 2014); the products overflow by design."""
    x = indices + (seed + 1) * 0x1E3779B97F4A7C15 % 2**62
    for shift, factor in ((30, 0x3F58476D1CE4E5B9), (27, 0x14D049BB133111EB)):
        x = (x ^ (x >> shift)) * factor
    return x < 0


class Cutout:
    """Fill a square around a random pixel with the mean color (DeVries and Taylor, "Cutout", 2017).

    As in the paper, the square may extend beyond the border.

    Args:
        size: side of the square as a fraction of the image's side.
        spec: provides the mean color.
    """

    @checked
    def __init__(self, size: FractionAbove0, spec: ImageSpec) -> None:
        self.size = size
        self.mean = (255 * torch.tensor(spec.mean)).round().to(torch.uint8)[:, None, None]

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """Draw `y` and `x` (N,), the center of the square, in pixels."""
        y, x = torch.randint(images.shape[-1], (2, len(images)), generator=generator)
        return {"y": y, "x": x}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        side = round(self.size * images.shape[-1])
        top, left = draws["y"] - side // 2, draws["x"] - side // 2
        erased = box_mask(images, top, left, top + side, left + side)
        return torch.where(erased[:, None], self.mean.to(images.device, non_blocking=True), images)


def box_mask(images: Tensor, top: Tensor, left: Tensor, bottom: Tensor, right: Tensor) -> Tensor:
    """Bool (N, H, W), True inside each image's box; bounds are (N,) in pixels, `bottom` and `right` excluded."""
    y = torch.arange(images.shape[-2], device=images.device)
    x = torch.arange(images.shape[-1], device=images.device)
    rows = (y >= top[:, None]) & (y < bottom[:, None])
    columns = (x >= left[:, None]) & (x < right[:, None])
    return rows[:, :, None] & columns[:, None, :]
