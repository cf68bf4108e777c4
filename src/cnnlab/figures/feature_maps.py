"""The strongest feature maps of an image, one row for each stage of the network."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from cnnlab.figures.fonts import fonts_for
from cnnlab.figures.overlay import AGAINST_AND_FOR, LETTERS, SMALL, frame, lines_of, show_image
from cnnlab.figures.style import COLUMN, PRINT_DPI, figure, save, styled

CHANNELS = 8  # maps in a row
WIDTH = 2 * COLUMN + 0.2  # inches of both columns of a paper
LONG_LINE = 120  # characters of a title over both columns


@styled
def draw_feature_maps(image: Tensor, stages: Mapping[str, tuple[list[int], Tensor]], title: str, path: Path) -> Path:
    """Draw the image, and the maps of each stage, each on its own scale.

    Args:
        image: (C, H, W) floats in [0, 1], with one or three channels.
        stages: for each stage by name, the numbers of at most CHANNELS channels, and their maps (n, h, w).
        title: the title of the figure.
        path: the PNG file to write.

    Returns:
        `path`.
    """
    with fonts_for((title, *stages)):
        side = (WIDTH - 1.1) / (CHANNELS + 1)
        height = (side + 0.17) * len(stages) + 0.2 + 0.14 * len(lines_of(title, LONG_LINE))
        fig = figure(WIDTH, height)
        panels = fig.subplots(len(stages), CHANNELS + 1, squeeze=False)
        for row, (name, (channels, maps)) in zip(panels, stages.items(), strict=True):
            row[0].set_ylabel(name, fontsize=SMALL, rotation=0, ha="right", va="center")
            for axes in row:
                frame(axes)
                axes.spines[:].set(visible=False)
            for axes, channel, values in zip(row[1:], channels, maps.cpu(), strict=False):
                limit = float(values.abs().max()) or 1.0
                if bool((values < 0).any()):
                    axes.imshow(values.numpy(), cmap=AGAINST_AND_FOR, vmin=-limit, vmax=limit)
                else:
                    axes.imshow(values.numpy(), cmap="gray", vmin=0, vmax=limit)
                axes.set_title(f"{channel}", fontsize=SMALL, pad=2)
                frame(axes)
        show_image(panels[0, 0], image)
        fig.suptitle("\n".join(lines_of(title, LONG_LINE)), fontsize=LETTERS)
        return save(fig, path, PRINT_DPI)
