"""From an opened image to stored bytes, from these to normalized floats, and back."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from cnnlab.image_spec import ImageSpec


def pixels_of(image: Image.Image) -> Tensor:
    """The pixels of an image in the mode `L` or `RGB`: uint8 (C, H, W)."""
    pixels = torch.from_numpy(np.array(image))
    return pixels.unsqueeze(0) if image.mode == "L" else pixels.permute(2, 0, 1)


def normalize(images: Tensor, spec: ImageSpec, resize: bool = True) -> Tensor:
    """Normalize uint8 (N, C, H, W) to mean 0 and standard deviation 1 per channel, and resize to `spec.image_size`.

    Args:
        images: of any size.
        spec: the channels' statistics, and the size of the result.
        resize: False to keep the size.
    """
    height, width = images.shape[2:]
    shift, scale = _shift_and_scale(tuple(spec.mean), tuple(spec.std), height * width, images.device)
    x = images.float().contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    # One row per image: several times as fast on a CPU as broadcasting over the channels.
    x = torch.addcmul(shift, x.flatten(1), scale).view(x.shape).permute(0, 3, 1, 2)
    if resize and (height, width) != 2 * (spec.image_size,):
        x = F.interpolate(x, (spec.image_size, spec.image_size), mode="bilinear", antialias=True)
    return x.contiguous(memory_format=torch.channels_last)


# Cached on the device, because copying the statistics for every batch would synchronize with a GPU.
@lru_cache(maxsize=16)
def _shift_and_scale(
    mean: tuple[float, ...], std: tuple[float, ...], pixels: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """(pixels * C,) each: shift + scale * x normalizes a flattened channels-last uint8 image x."""
    with torch.inference_mode(False):  # usable in training even if evaluation makes them first
        means, stds = torch.tensor(mean).to(device), torch.tensor(std).to(device)
        return (-means / stds).repeat(pixels), (1 / (255 * stds)).repeat(pixels)


def denormalize(x: Tensor, spec: ImageSpec) -> Tensor:
    """Invert `normalize`, except for resizing: floats in [0, 1]."""
    mean = torch.tensor(spec.mean, device=x.device)[:, None, None]
    std = torch.tensor(spec.std, device=x.device)[:, None, None]
    return (x * std + mean).clamp(0, 1)
