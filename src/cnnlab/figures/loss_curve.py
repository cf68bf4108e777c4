"""The training loss by step."""

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

from cnnlab.figures.style import PALETTE, figure, readable_log_scale, styled

WINDOW = 0.05  # of the recorded steps, over which the mean is taken
MOST = 4000  # recorded steps that are drawn


@styled
def draw_step_losses(steps: Tensor, losses: Tensor, title: str) -> Figure:
    """Draw the loss of each recorded step, and its running mean.

    Args:
        steps: optimizer steps up to each recorded one, (N,).
        losses: mean loss of its batch, (N,).
        title: the title of the figure.
    """
    every = -(-len(steps) // MOST)
    fig = figure(6.5, 3.2)
    axes = fig.subplots()
    axes.plot(steps[::every], losses[::every], color=PALETTE[5], linewidth=0.6, alpha=0.8, label="one step")
    width = 2 * int(WINDOW * len(losses) / 2) + 1
    if width > 1:
        mean = running_mean(losses, width)
        label = f"mean over {width} recorded steps"
        axes.plot(steps[::every], mean[::every], color=PALETTE[0], linewidth=1.5, label=label)
    if bool((losses > 0).all()) and len(losses) and float(losses.max()) > 8 * float(losses.median()):
        readable_log_scale(axes)
    else:
        axes.set_ylim(bottom=0)
    axes.set(xlabel="step", ylabel="training loss")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="upper right")
    fig.suptitle(title, fontsize=11)
    return fig


def running_mean(values: Tensor, width: int) -> Tensor:
    """The mean of the up to `width` values around each of `values` (N,), where `width` is odd."""
    half = width // 2
    ones = torch.ones_like(values)
    sums, counts = (avg_pool1d(pad(each[None], (half, half)), width, stride=1)[0] for each in (values, ones))
    return sums / counts
