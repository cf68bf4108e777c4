"""Images in rows, each with a caption below it."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from cnnlab.figures.fonts import fonts_for
from cnnlab.figures.labels import fit
from cnnlab.figures.style import DPI, figure, styled

SIDE = 0.95  # inches of an image, about
GAP = 13 / DPI  # inches between images
LINE = 20 / DPI  # inches of a line of a caption
TITLE = 36 / DPI  # inches of the title
LETTERS = 8  # points of a caption that is not too long
TEXT = "#333333"
FRAME = "#bbbbbb"


@styled
def draw_image_grid(
    images: Tensor | Sequence[Tensor],
    captions: Sequence[str] = (),
    *,
    columns: int = 8,
    colors: Sequence[str] = (),
    title: str = "",
    side: float = SIDE,
) -> Figure:
    """Draw images in rows, each within a square; `style.save` writes the figure, `style.pixels` is its array.

    Args:
        images: uint8 or floats in [0, 1], (N, C, H, W), or N images (C, H, W) of any sizes; one or three channels.
        captions: the text below each image, of one or more lines; long lines are written smaller, then shortened.
        columns: images per row.
        colors: the color of each caption and of the frame around its image.
        title: the title of the figure.
        side: of an image, in inches, about: each pixel becomes a square of whole pixels of the figure.
    """
    side = whole_pixels(side, images)
    lines = max((text.count("\n") + 1 for text in captions), default=0)
    columns = max(1, min(columns, len(images)))
    rows = -(-len(images) // columns)
    step = side + GAP
    height = side + LINE * lines + GAP
    with fonts_for((*captions, title)):
        page = Page(columns * step + GAP, rows * height + GAP, title)
        items = zip_longest(images, captions[: len(images)], colors[: len(images)])
        for number, (image, caption, color) in enumerate(items):
            row, column = divmod(number, columns)
            left, top = GAP + column * step, GAP + row * height
            page.image(image, left, top, side, color)
            for line, text in enumerate((caption or "").split("\n")):
                page.text(text, left + side / 2, top + side + (line + 0.6) * LINE, step - 0.06, color=color or TEXT)
    return page.fig


def whole_pixels(side: float, images: Tensor | Sequence[Tensor]) -> float:
    """The side in inches next to `side` in which an image's pixels are squares of equal size, if there is one."""
    longest = {max(image.shape[1:]) for image in images}
    zooms = [round(side * DPI / pixels) for pixels in longest]
    zoomed = {zoom * pixels for zoom, pixels in zip(zooms, longest, strict=True)}
    return zoomed.pop() / DPI if len(zoomed) == 1 and min(zooms) > 0 else round(side * DPI) / DPI


class Page:
    """A figure whose coordinates are inches from the upper left corner, below its title.

    Args:
        width, height: of the content, in inches.
        title: stands above the content.
    """

    def __init__(self, width: float, height: float, title: str = "") -> None:
        above = TITLE if title else 0.0
        self.fig = figure(max(width, 2.0), height + above)
        self.fig.set_layout_engine("none")
        self.fig.set_dpi(DPI)
        self.width = max(width, 2.0)
        self.axes: Axes = self.fig.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, self.width), ylim=(height, -above))
        self.axes.axis("off")
        self.renderer: RendererAgg = FigureCanvasAgg(self.fig).get_renderer()
        if title:
            self.text(title, self.width / 2, -above / 2 + GAP / 2, self.width - 2 * GAP, fontsize=10.5, color="black")

    def image(self, image: Tensor, left: float, top: float, side: float, color: str | None = None) -> None:
        """Draw an image (C, H, W) as large as it fits into the square, in its middle, with a frame."""
        values = (image.float() / 255 if image.dtype == torch.uint8 else image.float()).clamp(0, 1).cpu()
        height, width = values.shape[1:]
        scale = side / max(height, width)
        left, top = left + (side - scale * width) / 2, top + (side - scale * height) / 2
        extent = (left, left + scale * width, top + scale * height, top)
        rgb = values.expand(3, -1, -1).permute(1, 2, 0).numpy()
        self.axes.imshow(rgb, extent=extent, aspect="auto", interpolation="auto")
        style: dict[str, Any] = {"edgecolor": color or FRAME, "linewidth": 1.6 if color else 0.5, "fill": False}
        self.axes.add_patch(Rectangle((left, top), scale * width, scale * height, **style))
        self.axes.set(xlim=(0, self.width), ylim=self.axes.get_ylim())

    def text(self, text: str, x: float, y: float, inches: float, **properties: Any) -> None:
        """Write one line around (x, y), in at most `inches`; `properties` are those of matplotlib's texts."""
        style: dict[str, Any] = {"fontsize": LETTERS, "color": TEXT, "ha": "center", "va": "center"} | properties
        fit(self.axes.text(x, y, text, **style), inches, self.renderer)
