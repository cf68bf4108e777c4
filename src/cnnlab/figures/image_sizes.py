"""The sizes of image files."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from cnnlab.figures.fonts import drawable, fonts_for
from cnnlab.figures.style import PALETTE, figure, styled

WIDE = 4.0  # the axes are logarithmic above this ratio of the largest to the smallest side


@styled
def draw_image_sizes(sizes: Sequence[tuple[int, int]], side: int, title: str) -> Figure:
    """Draw the height of each image against its width, and the size of the network's input.

    Args:
        sizes: width and height of each image, in pixels.
        side: of the network's input, in pixels.
        title: the title of the figure.
    """
    widths, heights = zip(*sizes, strict=True)
    low, high = min(side, *widths, *heights), max(side, *widths, *heights)
    with fonts_for((title,)):
        fig = figure(5.6, 5.2)
        axes = fig.subplots()
        alpha = max(0.08, min(0.7, 40 / len(sizes)))
        ends = (low, high + 1)
        axes.plot(ends, ends, color="#999999", linewidth=0.8, linestyle=(0, (4, 3)), label="as wide as high")
        axes.scatter(widths, heights, s=18, color=PALETTE[0], alpha=alpha, linewidths=0, zorder=3)
        axes.scatter([], [], s=18, color=PALETTE[0], label="image")
        axes.plot(
            side, side, "x", color=PALETTE[1], markersize=9, markeredgewidth=2, zorder=4,
            label=f"the network's input: {side} x {side}",
        )  # fmt: skip
        if high > WIDE * low:
            axes.set(xscale="log", yscale="log", xlim=(low / 1.3, high * 1.3), ylim=(low / 1.3, high * 1.3))
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_locator(LogLocator(2))
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
                axis.set_minor_formatter(NullFormatter())
        else:
            axes.set(xlim=(0, 1.1 * high), ylim=(0, 1.1 * high))
        axes.set(xlabel="width, pixels", ylabel="height, pixels", aspect="equal")
        axes.set_title(drawable(title), fontsize=11)
        fig.legend(loc="outside lower center", ncols=3, fontsize=8.5)
    return fig
