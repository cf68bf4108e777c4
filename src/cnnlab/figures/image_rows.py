"""Rows of images, each with a name on its left and captions below the images."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.patches import Rectangle
from torch import Tensor

from cnnlab.figures.fonts import fonts_for
from cnnlab.figures.image_grid import GAP, LINE, Page, whole_pixels
from cnnlab.figures.style import PALETTE, PRINT_DPI, save, styled

SIDE = 0.72  # inches of an image, about
NAMES = 1.15  # inches for the names at most
LETTER = 0.085  # inches of a letter of a name, about

Box = tuple[float, float, float, float]  # top, left, bottom, right, in pixels of the image


@dataclass(frozen=True)
class ImageRow:
    """One row of the figure.

    Attributes:
        name: stands on the left.
        images: (n, C, H, W), uint8 or floats in [0, 1].
        captions: below the images.
        boxes: frames in the images; may be empty.
    """

    name: str
    images: Tensor
    captions: Sequence[str]
    boxes: Sequence[Box] = field(default=())


@styled
def draw_image_rows(rows: Sequence[ImageRow], title: str, path: Path) -> Path:
    """Draw the rows one below the other, and return `path`."""
    side = whole_pixels(SIDE, [row.images[0] for row in rows])
    columns = max(len(row.images) for row in rows)
    names = min(NAMES, LETTER * max(len(row.name) for row in rows) + 2 * GAP)
    step, below = side + GAP, side + LINE + GAP / 2
    with fonts_for((title, *(row.name for row in rows), *(text for row in rows for text in row.captions))):
        page = Page(names + columns * step + 2 * GAP, len(rows) * below + GAP, title)
        for number, row in enumerate(rows):
            top = GAP + number * below
            page.text(row.name, names, top + side / 2, names - GAP, ha="right")
            for column, (image, caption) in enumerate(zip(row.images, row.captions, strict=True)):
                left = names + GAP + column * step
                page.image(image, left, top, side)
                page.text(caption, left + side / 2, top + side + LINE / 2, step - 0.03, fontsize=7)
                if row.boxes:
                    _draw_box(page, row.boxes[column], image, left, top, side)
        return save(page.fig, path, PRINT_DPI)


def _draw_box(page: Page, box: Box, image: Tensor, left: float, top: float, side: float) -> None:
    """A frame of the visible part of `box` in an image that was drawn at (left, top)."""
    height, width = image.shape[1:]
    scale = side / max(height, width)
    first_row, last_row = (min(max(value, 0.0), height) for value in box[::2])
    first, last = (min(max(value, 0.0), width) for value in box[1::2])
    corner = (left + first * scale, top + first_row * scale)
    for color, line in (("white", 2.0), (PALETTE[1], 1.1)):
        page.axes.add_patch(
            Rectangle(
                corner, (last - first) * scale, (last_row - first_row) * scale, fill=False, edgecolor=color,
                linewidth=line, zorder=3,
            )
        )  # fmt: skip
