"""An image, its map, and the map's deletion curve beside those of two maps that cannot know what matters."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from cnnlab.figures.fonts import fonts_for
from cnnlab.figures.overlay import LETTERS, SMALL, add_colorbar, lines_of, show_image, show_map
from cnnlab.figures.style import COLUMN, PALETTE, PRINT_DPI, figure, save, styled

WIDTH = 2 * COLUMN + 0.2  # inches of both columns of a paper
STYLES = ("-", (0, (4, 2)), (0, (1, 1.2)))  # distinguish the curves without color
LONG_LINE = 120  # characters of a title over both columns


@styled
def draw_explanation(image: Tensor, values: Tensor, curves: Mapping[str, Tensor], title: str, path: Path) -> Path:
    """Draw the image, its map over it, and deletion curves.

    Args:
        image: (C, H, W) floats in [0, 1], with one or three channels.
        values: (H, W), the map.
        curves: up to three, by name: the probability of the class at equally spaced fractions of deleted pixels.
        title: the title of the figure.
        path: the PNG file to write.

    Returns:
        `path`.
    """
    titles = lines_of(title, LONG_LINE)
    with fonts_for((title,)):
        fig = figure(WIDTH, 2.2 + 0.14 * len(titles))
        panels = fig.subplots(1, 3, width_ratios=(0.92, 1.02, 1.45))
        show_image(panels[0], image)
        show_map(panels[1], image, values)
        add_colorbar(fig, panels[1], values)
        axes = panels[2]
        for (name, curve), color, line in zip(curves.items(), PALETTE[1::-1] + PALETTE[2:], STYLES, strict=False):
            percentages = np.linspace(0, 100, len(curve))
            axes.plot(percentages, 100 * curve.numpy(), label=name, color=color, linestyle=line, linewidth=1.3)
        axes.set(xlim=(0, 100), ylim=(0, 102))
        axes.set_xlabel("deleted pixels, %, largest values first", fontsize=SMALL)
        axes.set_ylabel("probability of the class, %", fontsize=SMALL)
        axes.tick_params(labelsize=SMALL)
        axes.legend(
            fontsize=SMALL, loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=3, columnspacing=1, handlelength=2,
            borderpad=0.2,
        )  # fmt: skip
        fig.suptitle("\n".join(titles), fontsize=LETTERS)
        return save(fig, path, PRINT_DPI)
