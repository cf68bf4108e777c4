"""Norms of each layer's weights and gradients by epoch."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from cnnlab.figures.style import figure, readable_log_scale, styled

MOST_NAMED = 12  # with more layers, a color bar replaces the legend


@styled
def draw_layer_norms(weights: Tensor, gradients: Tensor, layers: Sequence[str], title: str) -> Figure:
    """Draw one line for each layer, from the first in dark to the last in light colors.

    Args:
        weights: norms of the weights after each epoch, (E, L).
        gradients: norms of the gradients in each epoch, (E, L); NaN where unknown.
        layers: names of the L layers.
        title: the title of the figure.
    """
    colors = mpl.colormaps["viridis"].resampled(max(2, round(1.1 * len(layers))))  # without the palest yellow
    fig = figure(9.5, 3.4)
    left, right = fig.subplots(1, 2)
    _lines(left, weights, layers, colors, "norm of the weights")
    _lines(right, gradients, layers, colors, "norm of the gradient in the epoch's first step")
    if len(layers) <= MOST_NAMED:
        fig.legend(*left.get_legend_handles_labels(), loc="outside right center", fontsize=8)
    else:
        norm = BoundaryNorm(range(1, len(layers) + 2), colors.N, extend="neither")
        bar = fig.colorbar(ScalarMappable(norm, colors), ax=[left, right], label="layer", pad=0.02)
        bar.ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        bar.ax.invert_yaxis()
        bar.ax.minorticks_off()
    fig.suptitle(title, fontsize=11)
    return fig


def _lines(axes: Axes, norms: Tensor, layers: Sequence[str], colors: mpl.colors.Colormap, name: str) -> None:
    epochs = range(1, len(norms) + 1)
    for number, (layer, values) in enumerate(zip(layers, norms.T.tolist(), strict=True)):
        color = colors(min(number, colors.N - 1))
        axes.plot(epochs, values, label=layer, color=color, marker="o", markersize=2.2, linewidth=1.3)
    if bool((norms > 0).any()):
        readable_log_scale(axes)
    axes.set_title(name, fontsize=10)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
