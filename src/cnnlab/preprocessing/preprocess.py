"""What happens to the pixels of any image before a network sees them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cnnlab.image_spec import ImageSpec
from cnnlab.preprocessing.fit import fitted
from cnnlab.preprocessing.image_files import has_color, open_image
from cnnlab.preprocessing.pixels import normalize, pixels_of

INVERTS = ("auto", "yes", "no")


@dataclass(frozen=True)
class Prepared:
    """One image as its dataset would store it.

    Attributes:
        pixels: uint8 (C, stored_size, stored_size).
        notes: what was done to it beyond resizing, such as `inverted`.
    """

    pixels: Tensor
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preprocessing:
    """The way of an image into one network.

    A file becomes bytes in the form of the training data (`prepare`), and bytes become the normalized input (calling
    the object). Training, evaluation, prediction and export all use the second step; image folders and prediction
    share the first.

    Attributes:
        spec: the images of the training data.
        stored_size: side of the images that the dataset stores; `normalize` resizes them to `spec.image_size`.
    """

    spec: ImageSpec
    stored_size: int

    def __call__(self, images: Tensor) -> Tensor:
        """Normalize uint8 images (N, C, H, W) to the network's input (N, C, image_size, image_size)."""
        return normalize(images, self.spec)

    def prepare(self, path: str | Path, fit: str = "crop", invert: str = "auto") -> Prepared:
        """Bring an image file to the form of the training data.

        A network that was trained on drawings gets light strokes on black, centered as in its dataset. An image that
        has this form already is not changed.

        Args:
            path: the image, of any size and mode.
            fit: for images that are not drawings; see `fitted`.
            invert: whether to treat a drawing as dark on light; `auto` decides by the image's border.

        Raises:
            UnreadableImage: the file is not an image, or it is damaged.
            ValueError: `fit` or `invert` is unknown.
        """
        if invert not in INVERTS:
            raise ValueError(f"invert must be one of {list(INVERTS)}, got {invert!r}")
        opened = open_image(path)
        image = opened.convert(self.mode)
        notes = ["converted to gray"] if self.mode == "L" and has_color(opened) else []
        if self.spec.drawing is None:
            if invert == "yes":
                image = image.point(lambda value: 255 - value)
                notes.append("inverted")
            return Prepared(pixels_of(fitted(image, self.stored_size, fit, self._fill)), tuple(notes))
        from cnnlab.preprocessing.drawing import (  # training needs no SciPy
            centered,
            has_light_border,
            ink_of,
            is_dark_on_light,
            relief_of,
        )

        gray = np.asarray(image, dtype=np.float32)
        is_stored = image.size == (self.stored_size, self.stored_size)
        if is_stored and (invert == "no" or (invert == "auto" and not has_light_border(gray))):
            return Prepared(pixels_of(image), tuple(notes))
        relief = relief_of(gray)
        if invert == "yes" or (invert == "auto" and (is_stored or is_dark_on_light(relief))):
            relief = -relief
            notes.append("inverted")
        ink = ink_of(relief)
        if not ink.any():
            blank = torch.zeros(1, self.stored_size, self.stored_size, dtype=torch.uint8)
            return Prepared(blank, (*notes, "nothing is drawn on it"))
        pixels = centered(ink, self.stored_size, self.spec.drawing)
        return Prepared(torch.from_numpy(pixels)[None], (*notes, "centered"))

    def read(self, path: str | Path) -> Tensor:
        """Read an image in its own size, as uint8 (C, H, W); a dark drawing on a light ground is inverted.

        Raises:
            UnreadableImage: the file is not an image, or it is damaged.
        """
        from cnnlab.preprocessing.drawing import has_light_border

        pixels = pixels_of(open_image(path).convert(self.mode))
        return 255 - pixels if self.spec.drawing is not None and has_light_border(pixels[0].numpy()) else pixels

    @property
    def mode(self) -> str:
        """Pillow's name for the kind of image that the network takes."""
        return "L" if self.spec.in_channels == 1 else "RGB"

    @property
    def _fill(self) -> int | tuple[int, ...]:
        """The mean color of the training data, which the network sees as 0."""
        fill = tuple(round(255 * mean) for mean in self.spec.mean)
        return fill[0] if self.mode == "L" else fill
