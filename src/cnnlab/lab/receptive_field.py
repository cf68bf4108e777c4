"""Receptive fields: the pixels that a unit sees, and the part of them that contributes noticeably.

Two stacked 3x3 convolutions see 5x5 pixels; nine paths lead from the center to the unit and one from each corner. With
depth, the number of paths per pixel approaches a Gaussian. The receptive field grows by 2 pixels per layer, but the
width of the Gaussian grows with the square root of the depth only.

The effective receptive field is the square root of the number of pixels whose gradient exceeds 4.55 % of the maximum.

Source: Luo et al., "Understanding the effective receptive field in deep convolutional neural networks", 2016, section 2
(the theory) and section 3 (the measure).
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
from cnnlab.lab.finding import Finding, Settings, text_rows
from cnnlab.models.resnet import CifarResNet

THRESHOLD = 0.0455  # of the largest gradient: the probability beyond two standard deviations of a Gaussian
DEPTHS = (1, 2, 4, 8, 16, 32, 64)
MARGIN = 1.2  # side of the random images, in receptive fields
DRAWS = 4  # random images whose gradients are averaged


def count_paths(depth: int) -> Tensor:
    """Count the paths from each pixel to one unit after `depth` 3x3 convolutions: the gradient with all weights 1."""
    size = 2 * depth + 1
    image = torch.zeros(1, size, size, dtype=torch.float64, requires_grad=True)
    y: Tensor = image
    for _ in range(depth):
        y = ops.conv2d(y, torch.ones(1, 1, 3, 3, dtype=torch.float64), method="shifted")
    (gradient,) = torch.autograd.grad(y.sum(), image)
    return gradient[0]


def effective(gradient: Tensor) -> float:
    """The side of the effective receptive field in pixels."""
    return float((gradient > THRESHOLD * gradient.max()).sum()) ** 0.5


def untrained(seed: int) -> dict[str, nn.Module]:
    """Build networks with random weights: VGG-11 cut at two depths, and one without and one with shortcuts."""
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
class Measured:
    """The receptive field of the central unit of a network's last map.

    Attributes:
        field: side of the receptive field in pixels, measured from the gradient with positive weights.
        agrees: whether the arithmetic of the layers gives the same field.
        first: row and column of the first pixel of the field.
        gradient: (H, W) gradient of the unit by the pixels, as root mean square over channels and random images.
    """

    field: int
    agrees: bool
    first: int
    gradient: Tensor

    @property
    def effective(self) -> float:
        return effective(self.gradient)


def measure(net: nn.Module, generator: torch.Generator) -> Measured:
    """Measure `net` on random images somewhat larger than its receptive field."""
    net.requires_grad_(requires_grad=False)
    traced = trace(net, 3, 64)
    field = measured_field(net, traced)
    assert field is not None
    axis = field.vertical
    size = axis.jump * math.ceil(axis.size * MARGIN / axis.jump)
    image = torch.randn(DRAWS, 3, size, size, generator=generator, requires_grad=True)
    y = net(image)
    unit = y.shape[2] // 2
    signs = torch.randn(y.shape[:2], generator=generator)
    (gradient,) = torch.autograd.grad((y[:, :, unit, unit] * signs).sum(), image)
    return Measured(
        axis.size, field == traced.field, axis.first + unit * axis.jump, gradient.square().mean((0, 1)).sqrt()
    )


def experiment(settings: Settings) -> Finding:
    paths = {depth: count_paths(depth) for depth in DEPTHS}
    growth = {depth: {"field": len(counts), "effective": effective(counts)} for depth, counts in paths.items()}
    generator = torch.Generator().manual_seed(settings.seed)
    networks = {name: measure(net, generator) for name, net in untrained(settings.seed).items()}
    agreement = "give" if all(net.agrees for net in networks.values()) else "do NOT give"
    title = (
        f"Two stacked 3x3 convolutions see {growth[2]['field']} x {growth[2]['field']} pixels; 64 see "
        f"{growth[64]['field']} x {growth[64]['field']}, but the "
        f"effective receptive field has a side of {growth[64]['effective']:.0f} pixels only"
    )
    text = "\n".join(
        [
            "number of paths from each of 5 x 5 pixels through two 3x3 convolutions:",
            *text_rows(paths[2]),
            "",
            "side in pixels of the receptive field and of its effective part (gradient above 4.55 % of the maximum):",
            f"{'3x3 convolutions, all weights 1':<34}" + "".join(f"{depth:>7}" for depth in DEPTHS),
            f"{'  receptive field':<34}" + "".join(f"{row['field']:>7}" for row in growth.values()),
            f"{'  effective':<34}" + "".join(f"{row['effective']:>7.1f}" for row in growth.values()),
            "",
            f"{'networks with random weights':<34}{'field':>7}{'effective':>11}",
            *(f"{f'  {name}':<34}{net.field:>7}{net.effective:>11.1f}" for name, net in networks.items()),
            f"Layer arithmetic and the gradient with positive weights {agreement} the same receptive fields.",
        ]
    )
    values = {
        "ways": paths[2].tolist(),
        "stacked": {str(depth): row for depth, row in growth.items()},
        "networks": {
            name: {"field": net.field, "agrees": net.agrees, "effective": net.effective}
            for name, net in networks.items()
        },
    }
    return Finding(title, text, values, draw(paths[2], growth, networks))


@styled
def draw(paths: Tensor, growth: Mapping[int, Mapping[str, float]], networks: Mapping[str, Measured]) -> Figure:
    """Draw the number of paths, the growth with depth, and the gradient of each network with its fields."""
    fig = figure(12, 6.6)
    upper, lower = fig.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.12)).ravel()
    left, right = upper.subplots(1, 2, width_ratios=(1, 1.6))
    draw_map(left, paths, "number of paths from each pixel through two 3x3 convolutions", letters=11)
    draw_growth(right, growth)
    panels = lower.subplots(1, len(networks))
    for axes, (name, net) in zip(panels, networks.items(), strict=True):
        draw_gradient(axes, name, net)
    lower.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2,
        frameon=True, facecolor="black", labelcolor="white", fontsize=9,
    )  # fmt: skip
    return fig


def draw_growth(axes: Axes, growth: Mapping[int, Mapping[str, float]]) -> None:
    depths = list(growth)
    for key, color, label in (("field", PALETTE[0], "receptive field: 2n + 1"), ("effective", PALETTE[1], "effective")):
        axes.plot(depths, [row[key] for row in growth.values()], color=color, marker="o", markersize=4, label=label)
    reference = growth[depths[-1]]["effective"] / depths[-1] ** 0.5
    axes.plot(
        depths,
        [reference * depth**0.5 for depth in depths],
        color="#777777",
        linestyle="--",
        label="proportional to √n",
    )
    axes.set(xscale="log", yscale="log", xlabel="number n of 3x3 convolutions", ylabel="side, pixels")
    axes.set_xticks(depths, [str(depth) for depth in depths])
    axes.set_yticks([3, 5, 10, 20, 50, 100], ["3", "5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.set_title("receptive field by depth, all weights 1", fontsize=10)
    axes.legend(fontsize=9)


def draw_gradient(axes: Axes, name: str, net: Measured) -> None:
    """Draw the gradient, a frame around the receptive field, and a square of the effective side."""
    axes.imshow((net.gradient / net.gradient.max()).numpy(), cmap="magma", vmin=0, vmax=1)
    center = net.first + net.field / 2 - 0.5
    for side, color, style, label in (
        (net.field, "white", "-", "receptive field"),
        (net.effective, PALETTE[5], "--", "effective receptive field"),
    ):
        corner = (center - side / 2, center - side / 2)
        axes.add_patch(
            Rectangle(corner, side, side, fill=False, edgecolor=color, linewidth=1.4, linestyle=style, label=label)
        )
    axes.set_title(f"{name}, random weights:\nside {net.field}, effective {net.effective:.0f} pixels", fontsize=10)
    axes.set(xticks=[], yticks=[])
