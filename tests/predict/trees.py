"""Folders of images named by class, for tests of prediction."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor


def write_classes(root: Path, images: Tensor, labels: Tensor, classes: Sequence[str]) -> None:
    """Write gray images (N, 1, H, W) as ROOT/CLASS/NUMBER.png."""
    for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        folder = root / classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0].numpy()).save(folder / f"{number:05}.png")
