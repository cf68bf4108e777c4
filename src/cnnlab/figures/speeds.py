"""The time of the same computation by several methods."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from cnnlab.figures.style import PALETTE, figure, styled

Point = tuple[float, float]


@styled
def draw_speeds(
    times: Mapping[str, Sequence[Point]], shapes: Mapping[str, Mapping[str, float]], throughputs: Mapping[str, float]
) -> Figure:
    """Draw the times of the methods on logarithmic axes.

    Args:
        times: for each method, points (multiply-accumulates, seconds).
        shapes: for each shape of a convolution, the speed of each method relative to PyTorch.
        throughputs: for each method, images/s in training LeNet-5; the loop runs at batch size 1.
    """
    colors = dict(zip(times, (*PALETTE, "#555555"), strict=False))
    fig = figure(13.0, 4.5)
    left, middle, right = fig.subplots(1, 3, width_ratios=(3, 3, 2))
    for method, points in times.items():
        macs, seconds = zip(*sorted(points), strict=True)
        left.plot(macs, seconds, marker="o", markersize=4, color=colors[method], label=method)
    left.set(
        xscale="log", yscale="log",
        xlabel="multiply-accumulates of the forward pass", ylabel="time of forward and backward pass, s",
    )  # fmt: skip
    left.set_title("3x3 convolutions: time", fontsize=10)
    fig.legend(loc="outside lower center", ncols=len(times), fontsize=9)
    _draw_shapes(middle, shapes, colors)
    bars = right.barh(
        list(throughputs), list(throughputs.values()), color=[colors[method] for method in throughputs], height=0.65
    )
    right.bar_label(
        bars, [f"{value:,.0f}" if value >= 10 else f"{value:.1f}" for value in throughputs.values()], padding=3
    )
    right.set(xscale="log", xlabel="images/s")
    right.margins(x=0.25)
    right.invert_yaxis()
    right.grid(visible=False, axis="y")
    right.set_title("training LeNet-5 (loop: batch size 1)", fontsize=10)
    return fig


def _draw_shapes(axes: Axes, shapes: Mapping[str, Mapping[str, float]], colors: Mapping[str, str]) -> None:
    """Draw bars that start at the speed of PyTorch and extend to the left for slower methods."""
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
    axes.set(xscale="log", xlabel="speed relative to PyTorch")
    axes.margins(x=0.2)
    axes.set_yticks(range(len(shapes)), [shape.replace(", ", "\n") for shape in shapes])
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks([0.1, 0.2, 0.5, 1, 2, 5])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_title("3x3 convolutions: relative speed by shape", fontsize=10)
