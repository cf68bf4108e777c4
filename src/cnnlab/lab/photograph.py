"""The photograph that experiments filter: `china.jpg` of scikit-learn, or an image file of yours."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cnnlab.preprocessing import UnreadableImage, read_image

SMALLEST, LARGEST = 64, 640  # pixels of the shorter and of the longer side


def photograph(image: Path | None) -> Tensor:
    """Read a photograph as gray values (H, W) in [0, 1]; a longer side above 640 pixels is reduced to 640.

    Args:
        image: an image file; None for `china.jpg` of scikit-learn, 427 x 640.

    Raises:
        ValueError: the file is missing, not an image, too small, or has only one gray value.
    """
    photo = _shipped() if image is None else _read(image)
    photo.thumbnail((LARGEST, LARGEST))
    grays = torch.from_numpy(np.asarray(photo, dtype=np.float32) / 255)
    height, width = grays.shape
    if min(height, width) < SMALLEST:
        raise ValueError(f"image={image} must have at least {SMALLEST} pixels a side, got {height} x {width}")
    if grays.min() == grays.max():
        raise ValueError(f"image={image} must have more than one gray value, got {grays.min():.3g} everywhere")
    return grays


def _shipped() -> Image.Image:
    from sklearn.datasets import load_sample_image

    return Image.fromarray(load_sample_image("china.jpg")).convert("L")


def _read(image: Path) -> Image.Image:
    try:
        return read_image(image, "L")
    except UnreadableImage as error:
        raise ValueError(f"image={error}") from error
