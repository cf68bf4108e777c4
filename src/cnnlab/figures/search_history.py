"""The trials of a search in order, and the best value so far."""

import math
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cnnlab.figures.style import PALETTE, figure, save, styled

PALE = "#888888"
MARGIN = 0.12  # above and below, as a fraction of the range

Point = tuple[int, float]  # trial number and value


@styled
def draw_search_history(
    done: Sequence[Point],
    pruned: Sequence[Point],
    failed: Sequence[int],
    default: float | None,
    rises: bool,
    name: str,
    path: Path,
) -> Path:
    """Draw the value of each trial against its number; outliers become triangles at the border.

    Args:
        done: the completed trials.
        pruned: the pruned trials.
        failed: the numbers of the failed trials.
        default: the value of the default recipe, fig as a line; None for no line.
        rises: higher values are better.
        name: the name of the value.
        path: the PNG file to write.

    Returns:
        `path`.
    """
    fig = figure(7.5, 3.8)
    axes = fig.subplots()
    if done:
        values = [value for _, value in done]
        better = sorted(values, reverse=rises)[: (3 * len(values) + 3) // 4]  # the axis shows the best three quarters
        _set_limits(axes, better if default is None else [*better, default])
        best = list(accumulate(values, max if rises else min))
        steps = [number for number, _ in done]
        last = max([*steps, *(number for number, _ in pruned), *failed])
        axes.step([*steps, last], [*best, best[-1]], "-", where="post", color=PALETTE[1], label="best so far")
    for points, color, filled, label in ((done, PALETTE[0], True, "completed"), (pruned, PALE, False, "pruned")):
        _scatter(axes, points, color, filled, label)
    if default is not None:
        axes.axhline(default, color=PALETTE[2], linewidth=1.2, linestyle=(0, (4, 2)), label="default recipe")
    for i, number in enumerate(failed):
        axes.axvline(number, color="#e3e3e3", linewidth=6, zorder=0, label="" if i else "failed")
    axes.set(xlabel="trial", ylabel=f"{name}; triangles: outside the axis" if _beyond(axes, [*done, *pruned]) else name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.02)
    fig.legend(loc="outside upper center", ncols=5, fontsize=9)
    return save(fig, path)


def _set_limits(axes: Axes, shown: Sequence[float]) -> None:
    height = max(shown) - min(shown) or 1.0
    axes.set_ylim(min(shown) - MARGIN * height, max(shown) + MARGIN * height)


def _beyond(axes: Axes, points: Sequence[Point]) -> bool:
    low, high = axes.get_ylim()
    return any(not low <= value <= high for _, value in points)


def _scatter(axes: Axes, points: Sequence[Point], color: str, filled: bool, label: str) -> None:
    low, high = (-math.inf, math.inf) if axes.get_autoscaley_on() else axes.get_ylim()
    for marker, chosen in (
        ("o", [(x, y) for x, y in points if low <= y <= high]),
        ("v", [(x, low) for x, y in points if y < low]),
        ("^", [(x, high) for x, y in points if y > high]),
    ):
        if chosen:
            numbers, heights = zip(*chosen, strict=True)
            axes.plot(
                numbers, heights, marker, color=color, markersize=5, markerfacecolor=color if filled else "white",
                label=label, clip_on=False, zorder=3,
            )  # fmt: skip
            label = ""  # once in the legend
