"""Convolution of functions: the integral, and the sums over samples that approach it.

A box is convolved with a decaying exponential, whose integral has a formula. The sum over samples at distance h, times
h, is what a computer adds up; its error falls with h. The kernel is flipped, as the integral requires.

Source: Zhang et al., "Dive into Deep Learning", 2023, section 7.1.4, "Convolutions".
"""

from collections.abc import Mapping
from itertools import pairwise

import torch
from matplotlib.figure import Figure
from torch import Tensor

from cnnlab import ops
from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.finding import Finding, Settings

STEPS = (0.5, 0.25, 0.125, 0.0625, 0.03125)  # distances of samples; shown: the first two
END = 2.0  # the functions are sampled from -END to END


def box(x: Tensor) -> Tensor:
    """1 from -1/2 to 1/2."""
    return (x.abs() <= 0.5).to(x.dtype)


def decay(x: Tensor) -> Tensor:
    """e^-x for x >= 0."""
    return torch.where(x >= 0, torch.exp(-x.clamp(min=0)), 0.0)


def exact(x: Tensor) -> Tensor:
    """The integral of box(t) decay(x - t) over t: of e^-(x - t) for t from -1/2 to the smaller of x and 1/2."""
    return torch.where(x < -0.5, 0.0, torch.exp(x.clamp(-0.5, 0.5) - x) - torch.exp(-0.5 - x))


def samples(step: float) -> Tensor:
    """Midpoints of the intervals of length `step` from -END to END."""
    return torch.arange(-END + step / 2, END, step, dtype=torch.float64)


def sums(step: float) -> tuple[Tensor, Tensor]:
    """The positions x and h * sum over t of box(t) decay(x - t)."""
    t = samples(step)
    total = step * ops.true_conv1d(box(t)[None], decay(t)[None, None], padding="full")[0]
    positions = 2 * t[0] + step * torch.arange(len(total), dtype=t.dtype)
    inside = positions <= END - 0.5  # beyond it the sum needs samples of g that are cut off
    return positions[inside], total[inside]


def experiment(settings: Settings) -> Finding:
    errors = {}
    for step in STEPS:
        x, total = sums(step)
        errors[step] = float((total - exact(x)).abs().max())
    ratio = errors[STEPS[0]] / errors[STEPS[-1]]
    falls = all(larger > smaller for larger, smaller in pairwise(errors.values()))
    title = (
        f"The sum over samples {'approaches' if falls else 'does NOT approach'} the integral: with "
        f"{STEPS[0] / STEPS[-1]:.0f} times as many samples the largest error is {ratio:.0f} times as small"
    )
    text = "\n".join(
        [
            "integral: (f * g)(x) = integral of f(t) g(x - t) dt",
            "sum:      (f * g)[n] = h * sum over m of f[m] g[n - m], at samples of distance h",
            "f: 1 from -1/2 to 1/2; g: e^-x from 0 on",
            "",
            f"{'h':>8}  largest error",
            *(f"{step:>8.5f}  {error:>13.5f}" for step, error in errors.items()),
        ]
    )
    return Finding(title, text, {"errors": {str(step): error for step, error in errors.items()}}, draw(errors))


@styled
def draw(errors: Mapping[float, float]) -> Figure:
    """Draw the functions, the integral with the sums of two distances, and the error by distance."""
    fig = figure(12, 3.8)
    left, middle, right = fig.subplots(1, 3)
    x = torch.linspace(-END, END, 801, dtype=torch.float64)
    left.plot(x, box(x), color=PALETTE[0], label="f: a box")
    left.plot(x, decay(x), color=PALETTE[1], label="g: e$^{-x}$")
    left.set_title("two functions", fontsize=10)
    middle.plot(x, exact(x), color="#333333", label="integral")
    for step, marker, color, size in zip(STEPS, ("o", "s"), PALETTE[2:], (10, 4), strict=False):
        middle.plot(
            *sums(step), linestyle="none", marker=marker, color=color, markersize=size, label=f"sum, h = {step:g}"
        )
    middle.set_title("their convolution", fontsize=10)
    right.plot(list(errors), list(errors.values()), color=PALETTE[0], marker="o")
    right.set(xscale="log", yscale="log", xlabel="distance h of the samples", ylabel="largest error")
    right.set_xticks(list(errors), [f"{step:.3g}" for step in errors])
    right.minorticks_off()
    right.set_title("sum against integral", fontsize=10)
    for axes in (left, middle):
        axes.set(xlabel="x", xlim=(-END, END))
        axes.legend(fontsize=9)
    return fig
