"""The distribution of the pixels' values in each channel."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from cnnlab.figures.fonts import drawable, fonts_for
from cnnlab.figures.style import figure, styled

CHANNELS = {1: (("gray", "#555555"),), 3: (("red", "#d55e00"), ("green", "#009e73"), ("blue", "#0072b2"))}

BARS = 64
WIDE = 20.0  # the axis is logarithmic above this ratio of the largest bar to the median


@styled
def draw_pixel_values(histogram: Tensor, mean: Sequence[float], std: Sequence[float], title: str) -> Figure:
    """Draw a histogram for each channel with its mean, in a band of ± one standard deviation.

    Args:
        histogram: (C, 256) numbers of pixels by value.
        mean, std: of the values in each channel.
        title: the title of the figure.
    """
    channels = len(histogram)
    percentages = 100 * histogram.view(channels, BARS, -1).sum(2).double() / histogram.sum(1, keepdim=True)
    edges = [bar / BARS for bar in range(BARS + 1)]
    with fonts_for((title,)):
        fig = figure(2.2 + 2.6 * channels, 2.9)
        fig.suptitle(drawable(title), fontsize=11)
        panels = fig.subplots(1, channels, sharey=True, squeeze=False)[0]
        for channel, (axes, (name, color)) in enumerate(zip(panels, CHANNELS[channels], strict=True)):
            center, spread = mean[channel], std[channel]
            axes.axvspan(max(0, center - spread), min(1, center + spread), color=color, alpha=0.15, linewidth=0)
            axes.stairs(percentages[channel].numpy(), edges, fill=True, color=color)
            axes.axvline(center, color="black", linewidth=1.2, linestyle=(0, (4, 1.6)))
            axes.set_title(f"{name}: mean {center:.4f}, std {spread:.4f}", fontsize=10)
            axes.set(xlabel="value of the pixel", xlim=(0, 1))
            axes.set_axisbelow(True)
        panels[0].set_ylabel("% of the pixels")
        if percentages.max() > WIDE * percentages.median():
            low, high = percentages[percentages > 0].aminmax()
            panels[0].set(yscale="log", ylim=(float(low) / 1.6, float(high) * 1.6))
        panels[0].yaxis.set_major_formatter("{x:g}")
    return fig
