"""Parallel coordinates: one axis per parameter and one line per trial, colored by the result."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Curve
from matplotlib.ticker import FuncFormatter

from cnnlab.figures.style import PALETTE, figure, save, styled

GRAY = "#d5d5d5"


@dataclass(frozen=True)
class Coordinate:
    """One axis from 0 to 1.

    Attributes:
        ticks: the tick labels by height.
        heights: the height of each line; None for a line that skips the axis.
    """

    ticks: Mapping[float, str]
    heights: Sequence[float | None]


def number_axis(low: float, high: float, log: bool, values: Sequence[float | None]) -> Coordinate:
    """An axis of numbers from `low` to `high`, linear or logarithmic; a line outside the range skips the axis."""
    scale = math.log if log else float

    def height(value: float) -> float:
        return (scale(value) - scale(low)) / (scale(high) - scale(low))

    inner = _powers(low, high) if log else list(np.linspace(low, high, 5)[1:-1])
    inner = [value for value in inner if 0.07 < height(value) < 0.93]  # labels closer to the ends would overlap
    ticks = {height(value): f"{value:.3g}" for value in (low, *inner, high)}
    return Coordinate(
        ticks, [height(value) if value is not None and low <= value <= high else None for value in values]
    )


def _powers(low: float, high: float) -> list[float]:
    """Powers of ten between `low` and `high`; below two decades, also 2 and 5 times the powers."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    digits = (1, 2, 5) if math.log10(high / low) < 2 else (1,)
    return [value for e in exponents for digit in digits if low < (value := digit * 10.0**e) < high]


def choice_axis(choices: Sequence[str], values: Sequence[str | None]) -> Coordinate:
    """An axis of unordered choices at equal distances."""
    positions = {choice: (i + 0.5) / len(choices) for i, choice in enumerate(choices)}
    return Coordinate({y: choice for choice, y in positions.items()}, [positions.get(str(value)) for value in values])


@styled
def draw_parallel(
    coordinates: Mapping[str, Coordinate],
    values: Sequence[float | None],
    rises: bool,
    percent: bool,
    name: str,
    path: Path,
) -> Path:
    """Draw one line per trial, with the better ones in front and the best one in a color of its own.

    Args:
        coordinates: the axes by parameter.
        values: the result of each trial; None for a pruned trial, which is gray.
        rises: higher values are better.
        percent: the values are fractions, shown as percentages.
        name: the name of the values.
        path: the PNG file to write.

    Returns:
        `path`.
    """
    fig = figure(2.4 + 1.9 * len(coordinates), 4.2)
    known = [value for value in values if value is not None]
    # The color scale covers the best three quarters; the others have its last color.
    worst, best = float(np.quantile(known, 0.25 if rises else 0.75)), max(known) if rises else min(known)
    scale = Normalize(min(worst, best), max(worst, best))
    shades = mpl.colormaps["viridis"](np.linspace(0.0, 0.88, 256))  # bright yellow is hard to see on white
    palette = ListedColormap(shades[::-1] if rises else shades)
    colors = ScalarMappable(scale, palette)
    order = sorted(range(len(values)), key=lambda i: _goodness(values[i], rises))
    axes = fig.subplots()
    for i in order:
        heights = [coordinate.heights[i] for coordinate in coordinates.values()]
        value, is_best = values[i], i == order[-1]
        color = GRAY if value is None else PALETTE[1] if is_best else palette(scale(value))
        _draw_line(axes, heights, color, 2.6 if is_best else 1.2)
    for x, (key, coordinate) in enumerate(coordinates.items()):
        _draw_axis(axes, x, key, coordinate)
    axes.set_xlim(-0.25, len(coordinates) - 0.75)
    axes.set_ylim(-0.04, 1.12)
    axes.axis("off")
    form = FuncFormatter(lambda value, _: f"{100 * value:.4g} %" if percent else f"{value:.3g}")
    bar = fig.colorbar(colors, ax=axes, format=form, shrink=0.85, pad=0.05, extend="min" if rises else "max")
    bar.outline.set_visible(False)
    pruned = ", pruned trials gray" if len(known) < len(values) else ""
    bar.set_label(f"{name}; best trial thick{pruned}", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return save(fig, path)


def _goodness(value: float | None, rises: bool) -> float:
    """A sort key: the better the higher; None is the worst."""
    return -math.inf if value is None else value if rises else -value


def _draw_line(axes: Axes, heights: Sequence[float | None], color: object, width: float) -> None:
    """Draw a smooth curve from axis to axis, with a gap at a skipped axis."""
    for x, (left, right) in enumerate(pairwise(heights)):
        if left is not None and right is not None:
            points = [(x, left), (x + 0.5, left), (x + 0.5, right), (x + 1, right)]
            curve = Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
            axes.add_patch(PathPatch(curve, fill=False, edgecolor=color, linewidth=width, alpha=0.85))
    if len(heights) == 1 and heights[0] is not None:
        axes.plot(0, heights[0], marker="o", markersize=3 * width, color=color)


def _draw_axis(axes: Axes, x: int, key: str, coordinate: Coordinate) -> None:
    axes.plot([x, x], [0, 1], color="#444444", linewidth=1.0, zorder=3)
    axes.text(x, 1.06, key, ha="center", fontsize=10)
    for y, text in coordinate.ticks.items():
        axes.plot([x - 0.015, x], [y, y], color="#444444", linewidth=1.0, zorder=3)
        axes.text(
            x - 0.03, y, text, ha="right", va="center", fontsize=8.5, zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
        )  # fmt: skip
