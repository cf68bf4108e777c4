"""Channels: one kernel per pair of input and output channel, summed over the input channels, by hand and by code.

A 1x1 kernel sees one pixel, so a 1x1 convolution is a fully connected layer over the channels of a pixel, with the
same weights at every pixel.

Source: Zhang et al., "Dive into Deep Learning", 2023, sections 7.4.1 and 7.4.2 (multiple input and output channels,
with the example used here) and 7.4.3 (1x1 convolutions).
"""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from cnnlab import ops
from cnnlab.figures.maps import CELL, draw_map, mark
from cnnlab.figures.style import figure, styled
from cnnlab.lab.finding import Finding, Settings


def example() -> tuple[Tensor, Tensor]:
    """Build an input (2, 3, 3) and kernels (3, 2, 2, 2); each output channel's kernels are the previous ones plus 1."""
    x = torch.stack([torch.arange(9.0), torch.arange(1.0, 10)]).reshape(2, 3, 3)
    first = torch.tensor([[[0.0, 1], [2, 3]], [[1, 2], [3, 4]]])
    return x, torch.stack([first, first + 1, first + 2])


def by_hand(x: list[list[list[float]]], weight: list[list[list[list[float]]]]) -> list[list[list[float]]]:
    """Cross-correlate with plain loops: sum over input channels, kernel rows and kernel columns."""
    positions = [(i, j) for i in range(len(x[0]) - 1) for j in range(len(x[0][0]) - 1)]
    result = [[[0.0] * (len(x[0][0]) - 1) for _ in range(len(x[0]) - 1)] for _ in weight]
    for o, kernels in enumerate(weight):
        for i, j in positions:
            for c, kernel in enumerate(kernels):
                for u, row in enumerate(kernel):
                    for v, number in enumerate(row):
                        result[o][i][j] += number * x[c][i + u][j + v]
    return result


def products(x: Tensor, weight: Tensor, i: int, j: int) -> str:
    """Write out the sum of products at position (i, j) of the result."""
    window = x[:, i : i + 2, j : j + 2]
    parts = [
        " + ".join(f"{a:.0f}*{b:.0f}" for a, b in zip(pixels.flatten(), kernel.flatten(), strict=True))
        for pixels, kernel in zip(window, weight, strict=True)
    ]
    return "  +  ".join(parts)


def experiment(settings: Settings) -> Finding:
    x, weight = example()
    hand = by_hand(x.tolist(), weight.tolist())
    code = ops.conv2d(x, weight)
    generator = torch.Generator().manual_seed(settings.seed)
    image = torch.randint(-9, 10, (3, 4, 5), generator=generator).double()
    mixing = torch.randint(-9, 10, (2, 3), generator=generator).double()
    pointwise = ops.conv2d(image, mixing[:, :, None, None])
    connected = ops.linear(image.permute(1, 2, 0), mixing).permute(2, 0, 1)
    same, alike = hand == code.tolist(), torch.equal(pointwise, connected)
    title = (
        f"From two channels to three: {weight.numel()} weights in six kernels, {code.numel() * weight[0].numel()} "
        f"multiplications; the results by hand and by code are {'equal' if same else 'NOT equal'}"
    )
    text = "\n".join(
        [
            "input 2 x 3 x 3, kernels 3 x 2 x 2 x 2; each output value is a sum over both input channels:",
            *(
                f"output {o + 1}, top left:  {products(x, weight[o], 0, 0)}  =  {hand[o][0][0]:.0f}"
                for o in range(len(weight))
            ),
            "",
            f"{'':10}{'by hand':<22}by ops.conv2d",
            *(f"output {o + 1}  {_rows(hand[o]):<22}{_rows(code[o].tolist())}" for o in range(len(weight))),
            "",
            f"A 1x1 convolution of a 3 x 4 x 5 input to 2 channels is {'equal' if alike else 'NOT equal'} to a fully",
            "connected layer from 3 to 2 units, applied at each of the 20 pixels.",
        ]
    )
    values = {
        "by hand": hand,
        "by code": code.tolist(),
        "pointwise": pointwise.tolist(),
        "connected": connected.tolist(),
    }
    return Finding(title, text, values, draw(x, weight, code))


@styled
def draw(x: Tensor, weight: Tensor, y: Tensor) -> Figure:
    """Draw one equation per output channel: input 1 with its kernel plus input 2 with its kernel."""
    widths = (3, 2, 3, 2, 2)
    fig = figure(CELL * (sum(widths) + 6.5) * 1.35, CELL * (3 * len(y) + 4) * 1.35)
    fig.set_layout_engine("constrained", w_pad=0.12, h_pad=0.08)
    grid = fig.subplots(len(y), len(widths), width_ratios=widths)
    for o, row in enumerate(grid):
        panels = (x[0], weight[o, 0], x[1], weight[o, 1], y[o])
        names = ("input 1", f"kernel 1 → {o + 1}", "input 2", f"kernel 2 → {o + 1}", f"output {o + 1}")
        for axes, values, name, sign in zip(row, panels, names, ("$\\star$", "+", "$\\star$", "=", ""), strict=True):
            draw_map(axes, values, name, letters=10)
            axes.text(1.16, 0.5, sign, transform=axes.transAxes, ha="center", va="center", fontsize=20)
    fig.supxlabel("$\\star$ denotes the cross-correlation", fontsize=10)
    for axes in (grid[0][0], grid[0][2]):
        mark(axes, 0, 0, (2, 2))
    mark(grid[0][4], 0, 0, (1, 1))
    return fig


def _rows(values: list[list[float]]) -> str:
    return "; ".join(" ".join(f"{value:3.0f}" for value in row) for row in values)
