"""How long the same computation takes by several methods."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from cnnlab.figures.style import PALETTE, STYLE, figure

Point = tuple[float, float]


def draw_speeds(times: Mapping[str, Sequence[Point]], rates: Mapping[str, float], title: str) -> Figure:
    """Draw seconds against multiply-accumulates, a line a method, and images a second as bars; all logarithmic."""
    colours = dict(zip(times, (*PALETTE, "#555555"), strict=False))
    drawn = figure(10.0, 4.2)
    with mpl.rc_context(STYLE):
        left, right = drawn.subplots(1, 2, width_ratios=(3, 2))
        for method, points in times.items():
            macs, seconds = zip(*sorted(points), strict=True)
            left.plot(macs, seconds, marker="o", markersize=4, color=colours[method], label=method)
        left.set(xscale="log", yscale="log")
        left.set_xlabel("multiply-accumulates of the forward pass")
        left.set_ylabel("seconds, forward and backward")
        left.set_title("3x3 convolutions", fontsize=10)
        left.legend(loc="upper left", fontsize=8)
        names = list(rates)
        bars = right.barh(names, list(rates.values()), color=[colours[name] for name in names], height=0.65)
        right.bar_label(bars, [f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}" for rate in rates.values()], padding=3)
        right.set(xscale="log")
        right.margins(x=0.25)
        right.invert_yaxis()
        right.grid(visible=False, axis="y")
        right.set_xlabel("images a second")
        right.set_title("training LeNet-5", fontsize=10)
        drawn.suptitle(title, fontsize=11)
    return drawn
