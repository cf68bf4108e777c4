"""Depthwise separable convolution: one kernel per channel, then a 1x1 convolution, at 1/N + 1/D_K² of the cost.

A standard convolution from M to N channels with D_K x D_K kernels takes D_K²·M·N multiplications per position. The
depthwise convolution takes D_K²·M and the 1x1 convolution M·N.

Source: Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications", 2017,
section 3.1 (the formula) and table 4 (the network with standard convolutions: 4,866 M multiply-accumulates instead of
569 M).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, ScalarFormatter
from torch import nn

from cnnlab import models
from cnnlab.analysis.trace import Trace, trace
from cnnlab.analysis.worked import conv
from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.finding import Finding, Settings
from cnnlab.models.mobilenet import Separable
from cnnlab.rendering.numbers import rounded

KERNELS = (3, 5, 7)
WIDTHS = (8, 16, 32, 64, 128, 256, 512, 1024)
CHANNELS, SIDE = 16, 14  # of the input; the fraction depends on neither


def formula(out_channels: int, kernel_size: int) -> float:
    """The multiplications of a separable convolution as a fraction of those of a standard one."""
    return 1 / out_channels + 1 / kernel_size**2


def traced_fraction(out_channels: int, kernel_size: int) -> float:
    """The same fraction, from the traced multiplications of both convolutions."""
    with torch.device("meta"):
        standard = conv(CHANNELS, out_channels, kernel_size)
        separable = nn.Sequential(
            conv(CHANNELS, CHANNELS, kernel_size, groups=CHANNELS), conv(CHANNELS, out_channels, 1)
        )
    counts = [trace(net, CHANNELS, SIDE).total("multiplications") for net in (separable, standard)]
    return counts[0] / counts[1]


def standard_mobilenet() -> nn.Module:
    """Build MobileNet with a standard 3x3 convolution in place of each depthwise separable one."""
    net = models.mobilenet_v1()
    for i, pair in enumerate(net.separable):
        assert isinstance(pair, Separable)
        depthwise, pointwise = pair.depthwise, pair.pointwise
        conv3x3 = nn.Conv2d(
            depthwise.in_channels,
            pointwise.out_channels,
            kernel_size=3,
            stride=depthwise.stride,  # type: ignore[arg-type]
            padding=1,
            bias=False,
        )
        net.separable[i] = nn.Sequential(conv3x3, nn.BatchNorm2d(pointwise.out_channels), nn.ReLU())
    return net


def mobilenets() -> tuple[Trace, Trace]:
    """Trace MobileNet as published and with standard convolutions, at 224 pixels."""
    with torch.device("meta"):
        return trace(models.mobilenet_v1(), 3, 224), trace(standard_mobilenet(), 3, 224)


def layers(separable: Trace, standard: Trace) -> list[dict[str, Any]]:
    """Compare each of MobileNet's separable pairs with the standard convolution that replaces it."""
    rows = []
    for conv3x3 in (row for row in standard.rows if row.name.startswith("separable") and row.macs):
        i = conv3x3.name.split(".")[1]
        macs = sum(row.macs for row in separable.rows if row.name.startswith(f"separable.{i}."))
        rows.append(
            {
                "pair": int(i) + 1,
                "out_channels": conv3x3.shape[0],
                "side": conv3x3.shape[1],
                "separable": macs,
                "standard": conv3x3.macs,
                "fraction": macs / conv3x3.macs,
            }
        )
    return rows


def experiment(settings: Settings) -> Finding:
    separable, standard = mobilenets()
    pairs = layers(separable, standard)
    fractions = {k: [traced_fraction(n, k) for n in WIDTHS] for k in KERNELS}
    difference = max(
        abs(fraction - formula(n, k)) for k in KERNELS for n, fraction in zip(WIDTHS, fractions[k], strict=True)
    )
    macs = [network.total("macs") for network in (separable, standard)]
    title = (
        f"MobileNet's {len(pairs)} separable pairs take {100 * min(p['fraction'] for p in pairs):.1f} to "
        f"{100 * max(p['fraction'] for p in pairs):.1f} % of the multiply-accumulates of standard convolutions, the "
        f"network {macs[0] / 1e6:.0f} M instead of {macs[1] / 1e6:,.0f} M"
    )
    lines = ["multiply-accumulates of MobileNet at 224 x 224 pixels"]
    lines += [f"{'pair':>13}{'output':>12}{'separable':>15}{'standard':>15}{'fraction':>10}{'1/N + 1/9':>11}"]
    for p in pairs:
        output = f"{p['side']}x{p['side']}x{p['out_channels']}"
        lines.append(
            f"{p['pair']:>13}{output:>12}{p['separable']:>15,}{p['standard']:>15,}{p['fraction']:>10.2%}"
            f"{formula(p['out_channels'], 3):>11.2%}"
        )
    lines += [f"{'network':>13}{'':>12}{macs[0]:>15,}{macs[1]:>15,}{macs[0] / macs[1]:>10.2%}"]
    lines += [
        "",
        f"parameters: {rounded(separable.parameters)} instead of {rounded(standard.parameters)}",
        f"The formula 1/N + 1/D_K² and the traced fractions differ by at most {difference:.0e} for D_K = 3, 5, 7 and "
        f"N from {WIDTHS[0]} to {WIDTHS[-1]}.",
    ]
    values = {
        "out_channels": WIDTHS,
        "traced_shares": fractions,
        "layers": pairs,
        "macs": {"separable": macs[0], "standard": macs[1]},
        "parameters": {"separable": separable.parameters, "standard": standard.parameters},
    }
    return Finding(title, "\n".join(lines), values, draw(fractions, pairs))


@styled
def draw(fractions: Mapping[int, Sequence[float]], pairs: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the formula with the traced fractions, and the cost of MobileNet's layers."""
    fig = figure(11.5, 4.2)
    curves, bars = fig.subplots(1, 2, width_ratios=(1, 1.4))
    wide = torch.logspace(3, 10, 100, base=2).tolist()
    for color, (k, traced) in zip(PALETTE, fractions.items(), strict=False):
        curves.plot(wide, [formula(n, k) for n in wide], color=color, linewidth=1.4)
        curves.plot(WIDTHS, traced, "o", color=color, markersize=5)
        curves.axhline(1 / k**2, color=color, linestyle=":", linewidth=1)
        curves.text(1200, formula(1024, k) + 0.001, f"{k}x{k}", color=color, va="bottom")
    curves.set(
        xscale="log",
        xlim=(7, 2000),
        xticks=WIDTHS,
        xlabel="output channels N",
        ylim=(0, 0.25),
        ylabel="fraction of the standard convolution's cost",
    )
    curves.minorticks_off()
    curves.xaxis.set_major_formatter(ScalarFormatter())
    curves.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    curves.set_title("$1/N + 1/D_K^2$ (lines), traced (points), $1/D_K^2$ (dotted)", fontsize=11)
    numbers = [p["pair"] for p in pairs]
    bars.bar(numbers, [p["standard"] / 1e6 for p in pairs], color="#cccccc", label="standard 3x3")
    bars.bar(numbers, [p["separable"] / 1e6 for p in pairs], color=PALETTE[0], label="depthwise 3x3, then 1x1")
    for p in pairs:
        bars.text(p["pair"], p["standard"] / 1e6, f"{p['fraction']:.1%}", ha="center", va="bottom", fontsize=7.5)
    bars.set(xticks=numbers, xlabel="separable pair", ylabel="multiply-accumulates, millions", ylim=(0, 560))
    bars.set_axisbelow(True)
    bars.grid(visible=False, axis="x")
    bars.set_title("MobileNet at 224 x 224 pixels; labels: separable / standard", fontsize=11)
    bars.legend(loc="upper right", ncols=2)
    return fig
