"""Depthwise separable convolution: within each channel first, then 1x1 across them, for 1/N + 1/D_K² of the work.

A convolution of M to N channels with a kernel of D_K x D_K multiplies D_K²·M·N times at each place; one kernel a
channel takes D_K²·M and the 1x1 convolution M·N: Howard et al., "MobileNets", 2017, section 3.1. Its table 4
has the whole network with standard convolutions: 4,866 M multiply-accumulates in place of 569 M.
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
CHANNELS, SIDE = 16, 14  # of the input; the share depends on neither


def formula(out_channels: int, kernel_size: int) -> float:
    """The share of a standard convolution's multiplications."""
    return 1 / out_channels + 1 / kernel_size**2


def traced_fraction(out_channels: int, kernel_size: int) -> float:
    """That share, from the multiplications of both ways."""
    with torch.device("meta"):
        standard = conv(CHANNELS, out_channels, kernel_size)
        separable = nn.Sequential(
            conv(CHANNELS, CHANNELS, kernel_size, groups=CHANNELS), conv(CHANNELS, out_channels, 1)
        )
    counts = [trace(net, CHANNELS, SIDE).total("multiplications") for net in (separable, standard)]
    return counts[0] / counts[1]


def standard_mobilenet() -> nn.Module:
    """MobileNet with a standard 3x3 convolution in the place of each depthwise one with its 1x1."""
    net = models.mobilenet_v1()
    for i, pair in enumerate(net.separable):
        assert isinstance(pair, Separable)
        depthwise, pointwise = pair.depthwise, pair.pointwise
        whole = nn.Conv2d(
            depthwise.in_channels,
            pointwise.out_channels,
            kernel_size=3,
            stride=depthwise.stride,  # type: ignore[arg-type]
            padding=1,
            bias=False,
        )
        net.separable[i] = nn.Sequential(whole, nn.BatchNorm2d(pointwise.out_channels), nn.ReLU())
    return net


def mobilenets() -> tuple[Trace, Trace]:
    """MobileNet as published and with standard convolutions, at 224 pixels."""
    with torch.device("meta"):
        return trace(models.mobilenet_v1(), 3, 224), trace(standard_mobilenet(), 3, 224)


def layers(separable: Trace, standard: Trace) -> list[dict[str, Any]]:
    """MobileNet's pairs beside the standard convolutions in their places."""
    found = []
    wholes = {row.name.split(".")[1]: row for row in standard.rows if row.name.startswith("separable") and row.macs}
    for i, whole in wholes.items():
        pair = [row for row in separable.rows if row.name.startswith(f"separable.{i}.") and row.macs]
        macs = sum(row.macs for row in pair)
        found.append(
            {
                "pair": int(i) + 1,
                "out_channels": whole.shape[0],
                "side": whole.shape[1],
                "separable": macs,
                "standard": whole.macs,
                "fraction": macs / whole.macs,
            }
        )
    return found


def experiment(settings: Settings) -> Finding:
    separable, standard = mobilenets()
    pairs = layers(separable, standard)
    fractions = {k: [traced_fraction(n, k) for n in WIDTHS] for k in KERNELS}
    apart = max(
        abs(fraction - formula(n, k)) for k in KERNELS for n, fraction in zip(WIDTHS, fractions[k], strict=True)
    )
    macs = [taken.total("macs") for taken in (separable, standard)]
    title = (
        f"MobileNet's {len(pairs)} separable pairs take {100 * min(p['fraction'] for p in pairs):.1f} to "
        f"{100 * max(p['fraction'] for p in pairs):.1f} % of a standard convolution's multiplications, the network "
        f"{macs[0] / 1e6:.0f} M in place of {macs[1] / 1e6:,.0f} M"
    )
    lines = ["MobileNet's pair      output      separable       standard   share   1/N + 1/9"]
    for p in pairs:
        output = f"{p['side']}x{p['side']}x{p['out_channels']}"
        lines.append(
            f"{p['pair']:>16}{output:>12}{p['separable']:>15,}{p['standard']:>15,}{p['fraction']:>8.2%}"
            f"{formula(p['out_channels'], 3):>12.2%}"
        )
    lines += [f"{'whole network':>16}{'':>12}{macs[0]:>15,}{macs[1]:>15,}{macs[0] / macs[1]:>8.2%}"]
    lines += ["", f"parameters: {rounded(separable.parameters)} in place of {rounded(standard.parameters)}"]
    lines += [
        f"formula and count differ by at most {apart:.0e} for D_K of 3, 5, 7 and N from {WIDTHS[0]} to {WIDTHS[-1]}"
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
    """Left the formula with the traced counts on it, right MobileNet's layers."""
    drawn = figure(11.5, 4.2)
    curves, bars = drawn.subplots(1, 2, width_ratios=(1, 1.4))
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
        ylabel="fraction of the multiplications",
    )
    curves.minorticks_off()
    curves.xaxis.set_major_formatter(ScalarFormatter())
    curves.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    curves.set_title("$1/N + 1/D_K^2$ (lines), counted (points)", fontsize=11)
    places = [p["pair"] for p in pairs]
    bars.bar(places, [p["standard"] / 1e6 for p in pairs], color="#cccccc", label="standard 3x3")
    bars.bar(places, [p["separable"] / 1e6 for p in pairs], color=PALETTE[0], label="depthwise 3x3, then 1x1")
    for p in pairs:
        bars.text(p["pair"], p["standard"] / 1e6, f"{p['fraction']:.1%}", ha="center", va="bottom", fontsize=7.5)
    bars.set(xticks=places, xlabel="MobileNet's pair", ylabel="multiply-accumulates, M", ylim=(0, 560))
    bars.set_axisbelow(True)
    bars.grid(visible=False, axis="x")
    bars.set_title("MobileNet at 224 pixels, layer by layer", fontsize=11)
    bars.legend(loc="upper right", ncols=2)
    return drawn
