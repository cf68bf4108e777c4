"""TrivialAugment, wide variant (Müller and Hutter, "TrivialAugment: tuning-free yet state-of-the-art", 2021)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.augment.step import Draws

BINS = 31
GRAY = (0.2989, 0.587, 0.114)

# Table 1 of the paper, right column: the maximum strength of each operation, and whether its sign is random.
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
    "posterize": (6.0, False),  # bits removed
    "solarize": (255.0, False),  # distance of the threshold from white
    "autocontrast": (0.0, False),
    "equalize": (0.0, False),
}


class TrivialAugment:
    """Apply one random operation per image, with a strength from 31 evenly spaced values."""

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """Draw `operation` (N,), an index into OPERATIONS, and `strength` (N,), signed, in its unit."""
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
        for index, name in enumerate(OPERATIONS):
            chosen = (draws["operation"] == index).nonzero().squeeze(1)
            if len(chosen) and name != "identity":
                out[chosen] = apply_operation(name, images[chosen], draws["strength"][chosen])
        return out


def apply_operation(name: str, images: Tensor, strength: Tensor) -> Tensor:
    """Apply one operation to uint8 images (N, C, H, W), with one strength per image (N,)."""
    match name:
        case "shear_x" | "shear_y" | "translate_x" | "translate_y" | "rotate":
            return _warp(name, images, strength)
        case "brightness" | "color" | "contrast" | "sharpness":
            return _enhance(name, images, strength)
        case "posterize":
            mask = 256 - 2 ** strength.round().long()
            return images & mask.to(torch.uint8)[:, None, None, None]
        case "solarize":
            return torch.where(images >= (255 - strength)[:, None, None, None], 255 - images, images)
        case "autocontrast":
            return _autocontrast(images)
        case _:
            return _equalize(images)


def _warp(name: str, images: Tensor, strength: Tensor) -> Tensor:
    """Warp with nearest-neighbor sampling; pixels from outside the image are black.

    Shears fix the upper left corner, counter-clockwise rotations the center.
    """
    height, width = images.shape[2:]
    y = torch.arange(height, device=images.device)[None, :, None] + 0.5
    x = torch.arange(width, device=images.device)[None, None, :] + 0.5
    s = strength[:, None, None]
    match name:  # (x, y) becomes the source of each output pixel
        case "shear_x":
            x = x + s * y
        case "shear_y":
            y = y + s * x
        case "translate_x":
            x = x - s.trunc()
        case "translate_y":
            y = y - s.trunc()
        case _:
            sin, cos = torch.sin(s * math.pi / 180), torch.cos(s * math.pi / 180)
            x, y = x - width / 2, y - height / 2
            x, y = cos * x - sin * y + width / 2, sin * x + cos * y + height / 2
    grid = torch.stack(torch.broadcast_tensors(2 * x / width - 1, 2 * y / height - 1), dim=-1)
    return F.grid_sample(images.float(), grid, mode="nearest", align_corners=False).to(torch.uint8)


def _enhance(name: str, images: Tensor, strength: Tensor) -> Tensor:
    """Move away from (strength > 0) or toward a degenerate image: black, grayscale, the mean gray, or blurred."""
    x = images.float()
    match name:
        case "brightness":
            degenerate = torch.zeros_like(x)
        case "color":
            degenerate = _gray(x)
        case "contrast":
            degenerate = _gray(x).mean((1, 2, 3), keepdim=True)
        case _:
            degenerate = _blur(x)
    return degenerate.lerp(x, 1 + strength[:, None, None, None]).clamp(0, 255).to(torch.uint8)


def _gray(x: Tensor) -> Tensor:
    if x.shape[1] == 1:
        return x
    return (x * torch.tensor(GRAY, device=x.device)[:, None, None]).sum(1, keepdim=True).floor()


def _blur(x: Tensor) -> Tensor:
    """Blur with Pillow's smoothing kernel; border pixels do not change."""
    kernel = torch.ones(3, 3, device=x.device)
    kernel[1, 1] = 5
    weight = (kernel / 13).expand(x.shape[1], 1, 3, 3)
    blurred = x.clone()
    blurred[..., 1:-1, 1:-1] = F.conv2d(x, weight, groups=x.shape[1]).round()
    return blurred


def _autocontrast(images: Tensor) -> Tensor:
    """Stretch each channel to the full range; constant channels do not change."""
    x = images.float()
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    stretched = ((x - low) * (255 / (high - low))).clamp(0, 255)
    return torch.where(high > low, stretched, x).to(torch.uint8)


def _equalize(images: Tensor) -> Tensor:
    """Equalize the histogram of each channel as Pillow does."""
    flat = images.flatten(2).long()
    histogram = torch.zeros(*flat.shape[:2], 256, dtype=torch.long, device=images.device)
    histogram.scatter_add_(2, flat, torch.ones_like(flat))
    below = histogram.cumsum(2)
    last = histogram.gather(2, flat.amax(2, keepdim=True))
    step = (flat.shape[2] - last) // 255  # pixels per gray level, without those of the brightest value
    table = ((below - histogram + step // 2) // step.clamp(min=1)).clamp(0, 255)
    return torch.where(step > 0, table.gather(2, flat), flat).to(torch.uint8).view_as(images)
