"""The photograph that experiments filter: one that ships with scikit-learn, or the user's own."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cnnlab.data.image_folders import read_image
from cnnlab.data.images import SourceError
from cnnlab.errors import UserError

SMALLEST, LARGEST = 64, 640  # pixels of the shorter and of the longer side


def photograph(path: Path | None) -> Tensor:
    """(H, W) grays from 0 to 1; the longer side has at most 640 pixels, which a larger picture is reduced to.

    Args:
        path: a picture; None for `china.jpg` of scikit-learn, 427 x 640.

    Raises:
        UserError: the file is missing, no picture, too small, or of one gray.
    """
    picture = _shipped() if path is None else _read(path)
    picture.thumbnail((LARGEST, LARGEST))
    grays = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255)
    height, width = grays.shape
    if min(height, width) < SMALLEST:
        raise UserError(f"image={path} must have at least {SMALLEST} pixels a side, got {height} x {width}")
    if grays.min() == grays.max():
        raise UserError(f"image={path} must have more than one gray, got {grays.min():.3g} everywhere")
    return grays


def _shipped() -> Image.Image:
    from sklearn.datasets import load_sample_image

    return Image.fromarray(load_sample_image("china.jpg")).convert("L")


def _read(path: Path) -> Image.Image:
    try:
        return read_image(path, "L")
    except SourceError as error:
        raise UserError(f"image={error}") from error
