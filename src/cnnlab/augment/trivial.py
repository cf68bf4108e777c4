"""TrivialAugment, wide: Müller and Hutter, "TrivialAugment: tuning-free yet state-of-the-art", 2021."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.augment.step import Draws

BINS = 31
GRAY = (0.2989, 0.587, 0.114)

# Table 1 of the paper, right column: the largest strength of each operation, and whether its sign is drawn.
OPERATIONS = {
    "identity": (0.0, False),
    "shear_x": (0.99, True),
    "shear_y": (0.99, True),
    "translate_x": (32.0, True),  # pixels
    "translate_y": (32.0, True),
    "rotate": (135.0, True),  # degrees
    "brightness": (0.99, True),
    "color": (0.99, True),
    "contrast": (0.99, True),
    "sharpness": (0.99, True),
    "posterize": (6.0, False),  # bits taken away
    "solarize": (255.0, False),  # below white
    "autocontrast": (0.0, False),
    "equalize": (0.0, False),
}


class TrivialAugment:
    """One operation an image, of a strength drawn from 31 even steps."""

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """`operation` (N,): its number in OPERATIONS; `strength` (N,), signed, in the operation's unit."""
        n = len(images)
        operation = torch.randint(len(OPERATIONS), (n,), generator=generator)
        step = torch.randint(BINS, (n,), generator=generator) / (BINS - 1)
        sign = 1 - 2 * torch.randint(2, (n,), generator=generator)
        largest = torch.tensor([largest for largest, _ in OPERATIONS.values()])
        signed = torch.tensor([signed for _, signed in OPERATIONS.values()])
        strength = largest[operation] * step
        return {"operation": operation, "strength": torch.where(signed[operation], strength * sign, strength)}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        out = images.clone()
        for number, name in enumerate(OPERATIONS):
            chosen = (draws["operation"] == number).nonzero().squeeze(1)
            if len(chosen) and name != "identity":
                out[chosen] = operate(name, images[chosen], draws["strength"][chosen])
        return out


def operate(name: str, images: Tensor, strength: Tensor) -> Tensor:
    """One operation on uint8 images (N, C, H, W), each with its own strength (N,)."""
    if name in ("shear_x", "shear_y", "translate_x", "translate_y", "rotate"):
        return _warp(name, images, strength)
    if name in ("brightness", "color", "contrast", "sharpness"):
        return _enhance(name, images, strength)
    if name == "posterize":
        bits = 8 - strength.round().long()
        return images & (256 - 2 ** (8 - bits)).to(torch.uint8)[:, None, None, None]
    if name == "solarize":
        return torch.where(images >= (255 - strength)[:, None, None, None], 255 - images, images)
    if name == "autocontrast":
        return _autocontrast(images)
    return _equalize(images)


def _warp(name: str, images: Tensor, strength: Tensor) -> Tensor:
    """The nearest pixel at the place that an output pixel comes from; black where that lies outside.

    Shears hold the upper left corner, rotations (counter-clockwise) the center.
    """
    n, _, height, width = images.shape
    y = torch.arange(height, device=images.device)[None, :, None] + 0.5
    x = torch.arange(width, device=images.device)[None, None, :] + 0.5
    s = strength[:, None, None]
    if name == "shear_x":
        x, y = x + s * y, y.expand(n, -1, width)
    elif name == "shear_y":
        x, y = x.expand(n, height, -1), y + s * x
    elif name == "translate_x":
        x, y = (x - s.trunc()).expand(-1, height, -1), y.expand(n, -1, width)
    elif name == "translate_y":
        x, y = x.expand(n, height, -1), (y - s.trunc()).expand(-1, -1, width)
    else:
        sin, cos = torch.sin(s * math.pi / 180), torch.cos(s * math.pi / 180)
        x, y = x - width / 2, y - height / 2
        x, y = cos * x - sin * y + width / 2, sin * x + cos * y + height / 2
    grid = torch.stack((2 * x / width - 1, 2 * y / height - 1), dim=-1)
    return F.grid_sample(images.float(), grid, mode="nearest", align_corners=False).to(torch.uint8)


def _enhance(name: str, images: Tensor, strength: Tensor) -> Tensor:
    """Away from (strength above 0) or towards a degenerate image: black, gray, the mean gray, or a blurred one."""
    x = images.float()
    if name == "brightness":
        degenerate = torch.zeros_like(x)
    elif name == "color":
        degenerate = _gray(x)
    elif name == "contrast":
        degenerate = _gray(x).mean((1, 2, 3), keepdim=True)
    else:
        degenerate = _blur(x)
    return degenerate.lerp(x, 1 + strength[:, None, None, None]).clamp(0, 255).to(torch.uint8)


def _gray(x: Tensor) -> Tensor:
    if x.shape[1] == 1:
        return x
    return (x * torch.tensor(GRAY, device=x.device)[:, None, None]).sum(1, keepdim=True).floor()


def _blur(x: Tensor) -> Tensor:
    """Pillow's smoothing kernel; the outermost pixels stay."""
    kernel = torch.ones(3, 3, device=x.device)
    kernel[1, 1] = 5
    weight = (kernel / 13).expand(x.shape[1], 1, 3, 3)
    blurred = x.clone()
    blurred[..., 1:-1, 1:-1] = F.conv2d(x, weight, groups=x.shape[1]).round()
    return blurred


def _autocontrast(images: Tensor) -> Tensor:
    """Stretch each channel to the full range; a channel of one value stays."""
    x = images.float()
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    stretched = ((x - low) * (255 / (high - low))).clamp(0, 255)
    return torch.where(high > low, stretched, x).to(torch.uint8)


def _equalize(images: Tensor) -> Tensor:
    """Spread each channel's values so that their cumulative histogram is a straight line, as Pillow does."""
    flat = images.flatten(2).long()
    histogram = torch.zeros(*flat.shape[:2], 256, dtype=torch.long, device=images.device)
    histogram.scatter_add_(2, flat, torch.ones_like(flat))
    below = histogram.cumsum(2)
    last = histogram.gather(2, flat.amax(2, keepdim=True))
    step = (flat.shape[2] - last) // 255  # pixels a gray level, the brightest value's left out
    table = ((below - histogram + step // 2) // step.clamp(min=1)).clamp(0, 255)
    return torch.where(step > 0, table.gather(2, flat), flat).to(torch.uint8).view_as(images)
