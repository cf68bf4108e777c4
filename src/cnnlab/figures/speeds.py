"""How long the same computation takes by several methods."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from cnnlab.figures.style import PALETTE, figure, styled

Point = tuple[float, float]


@styled
def draw_speeds(
    times: Mapping[str, Sequence[Point]], shapes: Mapping[str, Mapping[str, float]], rates: Mapping[str, float]
) -> Figure:
    """Draw what methods take, all on logarithmic axes.

    Args:
        times: by method, seconds against multiply-accumulates.
        shapes: by shape of a convolution and method, how many times as fast as PyTorch's it is.
        rates: by method, images a second.
    """
    colors = dict(zip(times, (*PALETTE, "#555555"), strict=False))
    drawn = figure(13.0, 4.2)
    left, middle, right = drawn.subplots(1, 3, width_ratios=(3, 3, 2))
    for method, points in times.items():
        macs, seconds = zip(*sorted(points), strict=True)
        left.plot(macs, seconds, marker="o", markersize=4, color=colors[method], label=method)
    left.set(
        xscale="log",
        yscale="log",
        xlabel="multiply-accumulates of the forward pass",
        ylabel="seconds, forward and backward",
    )
    left.set_title("3x3 convolutions, time", fontsize=10)
    left.legend(loc="upper left", fontsize=8)
    _draw_shapes(middle, shapes, colors)
    names = list(rates)
    bars = right.barh(names, list(rates.values()), color=[colors[name] for name in names], height=0.65)
    right.bar_label(bars, [f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}" for rate in rates.values()], padding=3)
    right.set(xscale="log")
    right.margins(x=0.25)
    right.invert_yaxis()
    right.grid(visible=False, axis="y")
    right.set_xlabel("images a second")
    right.set_title("training LeNet-5", fontsize=10)
    return drawn


def _draw_shapes(axes: Axes, shapes: Mapping[str, Mapping[str, float]], colors: Mapping[str, str]) -> None:
    """Bars from PyTorch's speed, to the left where a method is slower."""
    methods = [method for method in colors if any(method in speeds for speeds in shapes.values())]
    height = 0.8 / len(methods)
    for i, speeds in enumerate(shapes.values()):
        for j, method in enumerate(method for method in methods if method in speeds):
            y = i + (j - (len(methods) - 1) / 2) * height
            axes.barh(y, speeds[method] - 1, left=1, height=0.85 * height, color=colors[method])
            axes.annotate(
                f"{speeds[method]:.2f}", (speeds[method], y), va="center", fontsize=7,
                ha="left" if speeds[method] >= 1 else "right", xytext=(3 if speeds[method] >= 1 else -3, 0),
                textcoords="offset points",
            )  # fmt: skip
    axes.axvline(1, color="#555555", linewidth=1)
    axes.set(xscale="log")
    axes.margins(x=0.2)
    axes.set_yticks(range(len(shapes)), [shape.replace(", ", "\n") for shape in shapes])
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks([0.1, 0.2, 0.5, 1, 2, 5])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("speed, PyTorch's is 1")
    axes.set_title("3x3 convolutions, by shape", fontsize=10)
