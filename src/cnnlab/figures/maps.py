"""Images, kernels and feature maps side by side, small ones with their numbers."""

from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from cnnlab.figures.style import STYLE, figure

NUMBERED_UP_TO = 12  # pixels of the longer side
CELL = 0.34  # inches of a pixel that holds a number
LARGE = 2.4  # inches of a map without numbers


def draw_maps(maps: Mapping[str, Tensor], per_row: int = 5) -> Figure:
    """Draw each map (H, W), or picture (H, W, 3) from 0 to 1, under its name.

    Maps whose numbers are shown have pixels of one size. A map with negative numbers, or of zeros, goes from blue over
    white to red, any other from black to white.
    """
    columns = min(per_row, len(maps))
    rows = -(-len(maps) // columns)
    values = list(maps.values())
    widths = [max(_inches(value)[1] for value in values[i::columns]) for i in range(columns)]
    heights = [max(_inches(value)[0] for value in values[i * columns : (i + 1) * columns]) for i in range(rows)]
    drawn = figure(sum(widths) + 0.3 * columns, sum(heights) + 0.4 * rows)
    with mpl.rc_context(STYLE):
        grid = drawn.subplots(rows, columns, squeeze=False, width_ratios=widths, height_ratios=heights).ravel()
        for axes in grid[len(maps) :]:
            axes.set_axis_off()
        for axes, (name, value) in zip(grid, maps.items(), strict=False):
            draw_map(axes, value, name)
    return drawn


def draw_map(axes: Axes, values: Tensor, name: str) -> None:
    """One map (H, W), or a picture (H, W, 3) of values from 0 to 1."""
    axes.set_title(name, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=True, color="#999999", linewidth=0.6)
    signed = values.ndim == 2 and (bool((values < 0).any()) or not values.any())
    reach = float(values.abs().max()) or 1.0
    if signed:
        axes.imshow(values.numpy(), cmap="RdBu_r", vmin=-1.3 * reach, vmax=1.3 * reach)
    else:
        axes.imshow(values.numpy(), cmap="gray", vmin=min(0.0, float(values.min())), vmax=reach)
    if not _is_numbered(values):
        return
    for i, row in enumerate(values.tolist()):
        for j, value in enumerate(row):
            dark = abs(value) > 0.7 * reach if signed else value < reach / 2
            axes.text(j, i, f"{value:.3g}", ha="center", va="center", fontsize=8, color="white" if dark else "black")


def _is_numbered(values: Tensor) -> bool:
    return values.ndim == 2 and max(values.shape) <= NUMBERED_UP_TO


def _inches(values: Tensor) -> tuple[float, float]:
    """Height and width."""
    height, width = values.shape[:2]
    return (CELL * height, CELL * max(width, 3)) if _is_numbered(values) else (LARGE * height / width, LARGE)
