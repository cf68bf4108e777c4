"""An image, and a map of what a network sees in it, in the width of a paper's column."""

import math
import textwrap
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation
from torch import Tensor

from cnnlab.figures.fonts import drawable, fonts_for
from cnnlab.figures.style import COLUMN, PALETTE, PRINT_DPI, figure, save, styled

AGAINST_AND_FOR = LinearSegmentedColormap.from_list("against_and_for", [PALETTE[0], "#ffffff", "#c43c00"])
FOR = LinearSegmentedColormap.from_list("for", ["#ffffff", "#f0a070", "#c43c00", "#7a1f00"])
FAINT = 0.45  # contrast of the gray image below a map
LETTERS = 8  # points
SMALL = 7  # points
BELOW = 7  # points between an image and the scale bar
LINE = 58  # characters of a title in the width of a column


@styled
def draw_overlay(image: Tensor, values: Tensor, title: str, path: Path) -> Path:
    """Draw the image, and its map in color over the gray image.

    Args:
        image: (C, H, W) floats in [0, 1], with one or three channels.
        values: (H, W), the map; positive values speak for the class, negative ones against it.
        title: the title of the figure.
        path: the PNG file to write.

    Returns:
        `path`.
    """
    with fonts_for((title,)):
        fig = figure(COLUMN, 1.66 + 0.14 * len(lines_of(title)))
        panels = fig.subplots(1, 2)
        show_image(panels[0], image)
        show_map(panels[1], image, values)
        add_colorbar(fig, panels[1], values)
        fig.suptitle("\n".join(lines_of(title)), fontsize=LETTERS)
        return save(fig, path, PRINT_DPI)


def lines_of(title: str, longest: int = LINE) -> list[str]:
    """A title in lines of the width of a column."""
    return textwrap.wrap(drawable(title), longest)


def show_image(axes: Axes, image: Tensor) -> None:
    """Draw an image (C, H, W) in [0, 1] with a scale bar below it."""
    pixels = image.detach().cpu().permute(1, 2, 0).squeeze(2).numpy()
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, extent=(0, image.shape[2], image.shape[1], 0))
    frame(axes)
    add_scale_bar(axes, image.shape[2], image.shape[1])


def show_map(axes: Axes, image: Tensor, values: Tensor) -> None:
    """Draw a map (H, W) over the faint gray image; a zero map is said to be one."""
    height, width = image.shape[1:]
    extent = (0, width, height, 0)
    gray = 1 - FAINT * (1 - image.detach().cpu().mean(0))
    axes.imshow(gray.numpy(), cmap="gray", vmin=0, vmax=1, extent=extent)
    frame(axes)
    relative = relative_values(values)
    if not relative.any():
        axes.text(width / 2, height / 2, "zero map", ha="center", va="center", fontsize=LETTERS)
        return
    colors, low = scale_of(values)
    strength = relative.abs().clamp(max=1).sqrt().mul(0.9).numpy()
    axes.imshow(relative.numpy(), cmap=colors, vmin=low, vmax=1, alpha=strength, extent=extent)


def relative_values(values: Tensor) -> Tensor:
    """A map divided by its largest absolute value, on the CPU; a map of zeros stays one."""
    values = values.detach().float().cpu()
    return values / values.abs().amax().clamp(min=1e-30)


def scale_of(values: Tensor) -> tuple[LinearSegmentedColormap, float]:
    """The colors of a map, and the relative value at which they begin; they end at 1."""
    return (AGAINST_AND_FOR, -1.0) if bool((values < 0).any()) else (FOR, 0.0)


def add_colorbar(fig: Figure, axes: Axes, values: Tensor) -> Colorbar:
    """The scale of a map's colors."""
    colors, low = scale_of(values)
    bar = fig.colorbar(ScalarMappable(Normalize(low, 1), colors), ax=axes, fraction=0.05, pad=0.03, shrink=0.86)
    bar.set_ticks([low, 1] if low == 0 else [low, 0, 1], labels=["0", "max"] if low == 0 else ["against", "0", "for"])
    bar.ax.tick_params(labelsize=SMALL, length=2)
    bar.outline.set_linewidth(0.4)
    return bar


def add_scale_bar(axes: Axes, width: float, height: float) -> None:
    """A bar of a round number of pixels below an image."""
    length = round_length(width / 4)
    below = axes.transData + ScaledTranslation(0, -BELOW / 72, axes.figure.dpi_scale_trans)
    style: Any = {"transform": below, "clip_on": False}
    axes.plot([0, length], [height, height], color="black", linewidth=1.5, solid_capstyle="butt", **style)
    axes.text(length + 0.04 * width, height, f"{length} pixels", fontsize=SMALL, va="center", **style)
    axes.set(xlim=(0, width), ylim=(height, 0))


def round_length(length: float) -> int:
    """The largest of 1, 2, 5, 10, 20, 50, ... that is at most `length`, at least 1."""
    power = 10 ** math.floor(math.log10(max(1.0, length)))
    return max(step * power for step in (1, 2, 5) if step * power <= max(1.0, length))


def frame(axes: Axes) -> None:
    """No ticks, and a thin frame."""
    axes.grid(visible=False)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color="#999999", linewidth=0.4)
