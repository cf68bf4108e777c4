"""Reading an image file in the mode of a network: gray or RGB, upright, with transparent pixels on white."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

GRAY = 12  # levels by which the channels of a gray pixel differ at most, after JPEG compression
# What Pillow raises for damaged files of one format or another; AVIF's decoder raises RuntimeError.
UNREADABLE = (
    UnidentifiedImageError, OSError, SyntaxError, ValueError, RuntimeError, MemoryError, Image.DecompressionBombError,
)  # fmt: skip


class UnreadableImage(ValueError):
    """A file is not an image, or it is damaged."""


def read_image(path: str | Path, mode: str) -> Image.Image:
    """Read an image in `mode` (`L` or `RGB`); see `open_image`."""
    return open_image(path).convert(mode)


def open_image(path: str | Path) -> Image.Image:
    """Read an image in its own mode, with 8 bits per channel, upright by its EXIF orientation, on white if transparent.

    Of an animated image, this is the first frame.

    Raises:
        UnreadableImage: the file is not an image, or it is damaged.
    """
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)  # cameras store the orientation beside the pixels
            if image.mode.startswith("I;16"):  # Pillow would clip 16-bit values to 255
                return Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
            if "A" in image.mode or "transparency" in image.info:
                foreground = image.convert("RGBA")
                return Image.alpha_composite(Image.new("RGBA", foreground.size, "white"), foreground).convert("RGB")
            image.load()
            return image
    except UNREADABLE as error:
        raise UnreadableImage(f"{path}: not a readable image ({error})") from error


def has_color(image: Image.Image) -> bool:
    """Whether an image has pixels that are not gray."""
    if image.mode in ("1", "L", "I", "F"):
        return False
    pixels = np.asarray(image.convert("RGB"), dtype=np.int16)
    return bool(np.ptp(pixels, axis=2).max() > GRAY)
