"""Receptive fields: how far a unit sees, and how much of that counts.

Two stacked 3x3 convolutions see all of 5x5 pixels, the middle one by nine ways and a corner by one. That pile of ways
becomes a bell curve with depth: the field grows by 2 pixels a layer, the bell's width with the root of the depth only.
After Luo et al., "Understanding the effective receptive field in deep convolutional neural networks", 2016, whose
measure is taken here: the root of the number of pixels with more than 4.55 % of the largest gradient.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from cnnlab import models, ops
from cnnlab.analysis.measured_field import measured_field
from cnnlab.analysis.trace import trace
from cnnlab.figures.maps import draw_map
from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.finding import Finding, Settings
from cnnlab.models.resnet import CifarResNet

COUNTS = 0.0455  # of the largest gradient: what lies beyond two standard deviations of a bell curve
DEPTHS = (1, 2, 4, 8, 16, 32, 64)
ROOM = 1.2  # times the field: the pictures' side
DRAWS = 4  # random pictures whose gradients are averaged


def ways(depth: int) -> Tensor:
    """How much each pixel counts for a unit after `depth` 3x3 convolutions whose weights are all one: the gradient."""
    size = 2 * depth + 1
    image = torch.zeros(1, size, size, dtype=torch.float64, requires_grad=True)
    y: Tensor = image
    for _ in range(depth):
        y = ops.conv2d(y, torch.ones(1, 1, 3, 3, dtype=torch.float64), method="shifted")
    (gradient,) = torch.autograd.grad(y.sum(), image)
    return gradient[0]


def effective(gradient: Tensor) -> float:
    """The side of a square of as many pixels as count."""
    return float((gradient > COUNTS * gradient.max()).sum()) ** 0.5


def untrained(seed: int) -> dict[str, nn.Module]:
    """Networks with random weights, up to a convolution: one at two depths, and one without and with shortcuts."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vgg = models.vgg11(num_classes=10, image_size=32)
        plain, residual = models.resnet20(shortcut="none"), models.resnet20()
    return {
        "VGG-11 to conv4": nn.Sequential(vgg.conv1, vgg.pool1, vgg.conv2, vgg.pool2, vgg.conv3, vgg.pool3, vgg.conv4),
        "VGG-11 to conv5": nn.Sequential(
            vgg.conv1, vgg.pool1, vgg.conv2, vgg.pool2, vgg.conv3, vgg.pool3, vgg.conv4, vgg.pool4, vgg.conv5
        ),
        "plain-20": _stages(plain),
        "ResNet-20": _stages(residual),
    }  # fmt: skip


def _stages(net: CifarResNet) -> nn.Sequential:
    return nn.Sequential(net.conv1, net.bn1, nn.ReLU(), net.conv2_x, net.conv3_x, net.conv4_x).eval()


@dataclass(frozen=True)
class Seen:
    """What the middle unit of a network's map sees.

    Attributes:
        field: pixels a side, by arithmetic and, with positive weights, by gradient.
        first: row and column of its first pixel.
        gradient: (H, W), by each pixel of random pictures: root of the mean square over channels and pictures.
    """

    field: int
    first: int
    gradient: Tensor

    @property
    def counts(self) -> float:
        return effective(self.gradient)


def see(net: nn.Module, generator: torch.Generator) -> Seen:
    """Measure `net` with pictures somewhat larger than its field."""
    net.requires_grad_(requires_grad=False)
    field = measured_field(net, trace(net, 3, 64))
    assert field is not None
    axis = field.vertical
    size = axis.jump * math.ceil(axis.size * ROOM / axis.jump)
    image = torch.randn(DRAWS, 3, size, size, generator=generator, requires_grad=True)
    y = net(image)
    unit = y.shape[2] // 2
    signs = torch.randn(y.shape[:2], generator=generator)
    (gradient,) = torch.autograd.grad((y[:, :, unit, unit] * signs).sum(), image)
    return Seen(axis.size, axis.first + unit * axis.jump, gradient.square().mean((0, 1)).sqrt())


def experiment(settings: Settings) -> Finding:
    five = ways(2)
    bells = {depth: ways(depth) for depth in DEPTHS}
    growth = {depth: {"field": len(bell), "effective": effective(bell)} for depth, bell in bells.items()}
    generator = torch.Generator().manual_seed(settings.seed)
    found = {name: see(net, generator) for name, net in untrained(settings.seed).items()}
    title = (
        f"Two stacked 3x3 convolutions see all {int((five > 0).sum())} of 5 x 5 pixels; 64 see "
        f"{growth[64]['field']} pixels a side, of which {growth[64]['effective']:.0f} count"
    )
    text = "\n".join(
        [
            "ways from each pixel of 5 x 5 through two 3x3 convolutions:",
            *("  " + " ".join(f"{value:2.0f}" for value in row) for row in five.tolist()),
            "",
            "pixels a side of the field, and of what counts (more than 4.55 % of the largest gradient):",
            f"{'3x3 convolutions, all weights 1':<34}" + "".join(f"{depth:>7}" for depth in DEPTHS),
            f"{'  field':<34}" + "".join(f"{row['field']:>7}" for row in growth.values()),
            f"{'  counts':<34}" + "".join(f"{row['effective']:>7.1f}" for row in growth.values()),
            "",
            f"{'networks with random weights':<34}{'field':>7}{'counts':>7}",
            *(f"{f'  {name}':<34}{seen.field:>7}{seen.counts:>7.1f}" for name, seen in found.items()),
            "the field is the same by arithmetic and by the gradient of positive weights",
        ]
    )
    values = {
        "ways": five.tolist(),
        "stacked": {str(depth): row for depth, row in growth.items()},
        "networks": {name: {"field": seen.field, "effective": seen.counts} for name, seen in found.items()},
    }
    return Finding(title, text, values, draw(five, growth, found))


@styled
def draw(five: Tensor, growth: Mapping[int, Mapping[str, float]], found: Mapping[str, Seen]) -> Figure:
    """The ways through 5x5, the growth with depth, and the gradient's pictures with their fields."""
    drawn = figure(12, 6.6)
    upper, lower = drawn.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.12)).ravel()
    left, right = upper.subplots(1, 2, width_ratios=(1, 1.6))
    draw_map(left, five, "ways from each pixel through two 3x3 convolutions", letters=11)
    draw_growth(right, growth)
    for axes, (name, seen) in zip(lower.subplots(1, len(found)), found.items(), strict=True):
        draw_gradient(axes, name, seen)
    return drawn


def draw_growth(axes: Axes, growth: Mapping[int, Mapping[str, float]]) -> None:
    depths = list(growth)
    for key, color, label in (("field", PALETTE[0], "field: 2n + 1"), ("effective", PALETTE[1], "what counts")):
        axes.plot(depths, [row[key] for row in growth.values()], color=color, marker="o", markersize=4, label=label)
    reference = growth[depths[-1]]["effective"] / depths[-1] ** 0.5
    axes.plot(depths, [reference * depth**0.5 for depth in depths], color="#777777", linestyle="--", label="~ √n")
    axes.set(xscale="log", yscale="log", xlabel="3x3 convolutions n", ylabel="pixels a side")
    axes.set_xticks(depths, [str(depth) for depth in depths])
    axes.set_yticks([3, 5, 10, 20, 50, 100], ["3", "5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.set_title("the field grows with the depth, what counts with its root", fontsize=10)
    axes.legend(fontsize=9)


def draw_gradient(axes: Axes, name: str, seen: Seen) -> None:
    """The gradient, the frame of what can count, and a square as large as what does."""
    axes.imshow((seen.gradient / seen.gradient.max()).numpy(), cmap="magma", vmin=0, vmax=1)
    middle = seen.first + seen.field / 2 - 0.5
    for width, color, line in ((seen.field, "white", "-"), (seen.counts, PALETTE[5], "--")):
        corner = (middle - width / 2, middle - width / 2)
        axes.add_patch(Rectangle(corner, width, width, fill=False, edgecolor=color, linewidth=1.4, linestyle=line))
    axes.set_title(f"{name}, random weights:\n{seen.field} pixels a side, {seen.counts:.0f} count", fontsize=10)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
