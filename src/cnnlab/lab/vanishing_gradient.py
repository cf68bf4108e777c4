"""The vanishing gradient: how much of it reaches the first layers of a deep network before anything is learned.

A sigmoid's slope is at most 1/4, so that a stack of them divides the gradient by about four at each layer. ReLU with
He's weights, shortcuts and batch norm each keep it. Where ReLU keeps it already, batch norm without shortcuts makes it
grow from layer to layer (Yang et al., "A mean field theory of batch normalization", 2019).
"""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from cnnlab import models
from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.digits import Images, digits
from cnnlab.lab.finding import Finding, Settings

DEPTH, WIDTH = 30, 64  # of the stacks; the width is that of a flattened digit, so all layers are alike
BATCH, SEEDS = 64, 5

FIRST_WEIGHTS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": nn.init.xavier_normal_,
    "tanh": nn.init.xavier_normal_,
    "relu": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
}


class Stack(nn.Module):
    """DEPTH fully connected layers of one width, then the ten scores: (N, 1, 8, 8) to (N, 10).

    Args:
        activation: `sigmoid` and `tanh`, with the weights of Glorot and Bengio, 2010, or `relu`, with those of He.
        shortcut: whether each layer's input is added to its result.
        batch_norm: whether it stands before each activation.
    """

    def __init__(self, activation: str, shortcut: bool = False, batch_norm: bool = False) -> None:
        super().__init__()
        self.activation: Callable[[Tensor], Tensor] = getattr(torch, activation)
        self.shortcut = shortcut
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(DEPTH))
        self.norms = nn.ModuleList(nn.BatchNorm1d(WIDTH) if batch_norm else nn.Identity() for _ in range(DEPTH))
        self.output = nn.Linear(WIDTH, 10)
        for weight in self.layers.parameters():
            FIRST_WEIGHTS[activation](weight)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            y = self.activation(norm(layer(x)))
            x = x + y if self.shortcut else y
        return self.output(x)


def resnet56(shortcut: str, batch_norm: bool) -> nn.Module:
    """The project's network for gray images, its batch norm replaced by nothing where it is not wanted."""
    net = models.resnet56(in_channels=1, shortcut=shortcut)
    if not batch_norm:
        for name, module in list(net.named_modules()):
            if isinstance(module, nn.BatchNorm2d):
                net.set_submodule(name, nn.Identity())
    return net


# By panel of the picture.
NETWORKS: dict[str, dict[str, Callable[[], nn.Module]]] = {
    f"{DEPTH} layers by activation": {
        "sigmoid": lambda: Stack("sigmoid"),
        "tanh": lambda: Stack("tanh"),
        "ReLU": lambda: Stack("relu"),
    },
    f"{DEPTH} layers of sigmoids": {
        "plain": lambda: Stack("sigmoid"),
        "with shortcuts": lambda: Stack("sigmoid", shortcut=True),
        "with batch norm": lambda: Stack("sigmoid", batch_norm=True),
    },
    "55 convolutions with ReLU": {
        "plain56": lambda: resnet56("none", batch_norm=True),
        "resnet56": lambda: resnet56("A", batch_norm=True),
        "plain56, no batch norm": lambda: resnet56("none", batch_norm=False),
        "resnet56, no batch norm": lambda: resnet56("A", batch_norm=False),
    },
}


def gradient_norms(build: Callable[[], nn.Module], data: Images, seed: int) -> list[float]:
    """The Euclidean norm of the loss's gradient by each layer's weights, from the first to the last before the scores.

    `seed` draws the weights; the network is in training mode.
    """
    images, labels = data
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build()
    F.cross_entropy(net(images), labels).backward()
    layers = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    gradients = [layer.weight.grad for layer in layers[:-1]]
    return [float(gradient.norm()) for gradient in gradients if gradient is not None]


def normalized(seed: int) -> Images:
    """BATCH digits of mean 0 and deviation 1."""
    (images, labels), _ = digits(BATCH, seed)
    return (images - images.mean()) / images.std(), labels


def first_to_last(norms: Tensor) -> float:
    """The geometric mean over seeds of the first layer's norm divided by the last layer's: (seeds, layers)."""
    return float((norms[:, 0] / norms[:, -1]).log().mean().exp())


def experiment(settings: Settings) -> Finding:
    data = normalized(settings.seed)
    seeds = range(SEEDS * settings.seed, SEEDS * (settings.seed + 1))
    norms = {
        panel: {
            name: torch.tensor([gradient_norms(build, data, seed) for seed in seeds], dtype=torch.float64)
            for name, build in networks.items()
        }
        for panel, networks in NETWORKS.items()
    }
    ratios = {panel: {name: first_to_last(found) for name, found in norms[panel].items()} for panel in norms}
    stack, _, convolutions = ratios.values()
    title = (
        f"Through {DEPTH} sigmoids the first layer's gradient is {stack['sigmoid']:.0e} of the last one's, through "
        f"ReLUs {stack['ReLU']:.1f}; shortcuts tame plain56's growth of {convolutions['plain56']:,.0f} to "
        f"{convolutions['resnet56']:.0f}"
    )
    lines = [f"norm of the gradient by a layer's weights, before training; geometric mean of {SEEDS} seeds"]
    for panel, networks in norms.items():
        lines += ["", f"{panel:<30}{'first layer':>12}{'last layer':>12}{'first / last':>14}"]
        for name, found in networks.items():
            first, last = found[:, [0, -1]].log().mean(0).exp().tolist()
            lines.append(f"{name:<30}{first:>12.1e}{last:>12.1e}{ratios[panel][name]:>14.1e}")
    lines += [
        "",
        "with batch norm alone the gradient does not vanish on its way to plain56's first layer, it grows; with",
    ]
    lines += ["neither it is tiny and with shortcuts alone huge, at all layers; only both together keep it near 1"]
    values = {"norms": {panel: {name: n.tolist() for name, n in found.items()} for panel, found in norms.items()}}
    return Finding(title, "\n".join(lines), values | {"first_to_last": ratios}, draw(norms))


@styled
def draw(norms: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """One panel for each group; the line is the geometric mean over seeds, the band reaches from least to most."""
    drawn = figure(11.0, 4.0)
    first, second, third = drawn.subplots(1, len(norms))
    second.sharey(first)
    for axes, (panel, networks) in zip((first, second, third), norms.items(), strict=True):
        for color, (name, found) in zip(PALETTE, networks.items(), strict=False):
            layers = range(1, found.shape[1] + 1)
            axes.fill_between(layers, found.amin(0), found.amax(0), color=color, alpha=0.2, linewidth=0)
            axes.plot(layers, found.log().mean(0).exp(), color=color, label=name, linewidth=1.6)
        axes.set(yscale="log", xlabel="layer, from the image")
        axes.set_title(panel, fontsize=11)
        axes.legend(loc="lower right")
    third.legend(loc="center", bbox_to_anchor=(0.55, 0.36))
    first.set_ylabel("norm of the gradient")
    return drawn
