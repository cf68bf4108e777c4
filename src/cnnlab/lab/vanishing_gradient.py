"""The vanishing gradient: the gradient that reaches the first layers of a deep network before training.

The slope of a sigmoid is at most 1/4, so a stack of sigmoids divides the gradient by about four per layer. ReLU with
He initialization, shortcuts and batch norm each preserve it. Where ReLU already preserves it, batch norm without
shortcuts makes it grow from layer to layer.

Sources: Zhang et al., "Dive into Deep Learning", 2023, section 5.4.1 (vanishing gradients of sigmoids); Glorot and
Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010 (initialization for sigmoid
and tanh); He et al., "Delving deep into rectifiers", 2015, section 2.2 (initialization for ReLU); He et al., "Deep
residual learning for image recognition", 2015, section 4.2 (plain and residual networks with 56 layers); Yang et al.,
"A mean field theory of batch normalization", 2019 (the gradient grows with batch norm).
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

DEPTH, WIDTH = 30, 64  # of the stacks; a flattened digit has the same width, so all layers are equal
BATCH, SEEDS = 64, 5

INITIALIZERS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": nn.init.xavier_normal_,
    "tanh": nn.init.xavier_normal_,
    "relu": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
}


class Stack(nn.Module):
    """DEPTH fully connected layers of equal width and ten logits: (N, 1, 8, 8) to (N, 10).

    Args:
        activation: `sigmoid` or `tanh`, with Glorot initialization, or `relu`, with He initialization.
        shortcut: add the input of each layer to its output.
        batch_norm: normalize before each activation.
    """

    def __init__(self, activation: str, shortcut: bool = False, batch_norm: bool = False) -> None:
        super().__init__()
        self.activation: Callable[[Tensor], Tensor] = getattr(torch, activation)
        self.shortcut = shortcut
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(DEPTH))
        self.norms = nn.ModuleList(nn.BatchNorm1d(WIDTH) if batch_norm else nn.Identity() for _ in range(DEPTH))
        self.output = nn.Linear(WIDTH, 10)
        for weight in self.layers.parameters():
            INITIALIZERS[activation](weight)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            y = self.activation(norm(layer(x)))
            x = x + y if self.shortcut else y
        return self.output(x)


def resnet56(shortcut: str, batch_norm: bool) -> nn.Module:
    """Build the 56-layer network for gray images, with or without shortcuts and batch norm."""
    net = models.resnet56(in_channels=1, shortcut=shortcut)
    if not batch_norm:
        for name, module in list(net.named_modules()):
            if isinstance(module, nn.BatchNorm2d):
                net.set_submodule(name, nn.Identity())
    return net


# By panel of the figure.
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
    """The Euclidean norm of the gradient by the weights of each layer, in training mode, without the output layer.

    Args:
        build: returns the network.
        data: the images and labels of the loss.
        seed: determines the weights.
    """
    images, labels = data
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build()
    F.cross_entropy(net(images), labels).backward()
    weights = [module.weight for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    return [float(weight.grad.norm()) for weight in weights[:-1] if weight.grad is not None]


def normalized(seed: int) -> Images:
    """Draw BATCH digits and normalize them to mean 0 and standard deviation 1."""
    (images, labels), _ = digits(BATCH, seed)
    return (images - images.mean()) / images.std(), labels


def first_to_last(norms: Tensor) -> float:
    """The ratio of the first to the last layer's norm, as geometric mean over seeds; `norms` is (seeds, layers)."""
    return float((norms[:, 0] / norms[:, -1]).log().mean().exp())


def described(norms: Tensor) -> str:
    """The size of the gradient in all layers, and where it grows, in words; `norms` is (seeds, layers)."""
    means = norms.log().mean(0).exp()
    smallest, largest = float(means.min()), float(means.max())
    ratio = float(means[0] / means[-1])
    size = "tiny" if largest < 1e-2 else "large" if smallest > 10 else "between tiny and large"
    trend = "grows" if ratio > 10 else "vanishes" if ratio < 0.1 else "is preserved"
    return f"{size} ({smallest:.1e} to {largest:.1e}), and {trend} toward the first layer"


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
    ratios = {panel: {name: first_to_last(by_seed) for name, by_seed in norms[panel].items()} for panel in norms}
    stack, _, convolutions = ratios.values()
    title = (
        f"First / last layer's gradient: {stack['sigmoid']:.0e} with {DEPTH} sigmoids, {stack['ReLU']:.1f} with ReLUs; "
        f"{convolutions['plain56']:,.0f} in plain56, {convolutions['resnet56']:.0f} in resnet56, which has shortcuts"
    )
    lines = [f"norm of the gradient by the weights of a layer, before training; geometric mean of {SEEDS} seeds"]
    for panel, networks in norms.items():
        lines += ["", f"{panel:<30}{'first layer':>12}{'last layer':>12}{'first / last':>14}"]
        for name, by_seed in networks.items():
            first, last = by_seed[:, [0, -1]].log().mean(0).exp().tolist()
            lines.append(f"{name:<30}{first:>12.1e}{last:>12.1e}{ratios[panel][name]:>14.1e}")
    lines += [
        "",
        "55 convolutions with ReLU:",
        *(f"  {name}: {described(by_seed)}" for name, by_seed in norms["55 convolutions with ReLU"].items()),
    ]
    values = {
        "norms": {panel: {name: n.tolist() for name, n in networks.items()} for panel, networks in norms.items()},
        "first_to_last": ratios,
    }
    return Finding(title, "\n".join(lines), values, draw(norms))


@styled
def draw(norms: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """Draw one panel per group: the geometric mean over seeds, in a band from the minimum to the maximum."""
    fig = figure(11.0, 4.0)
    first, second, third = fig.subplots(1, len(norms))
    second.sharey(first)
    for axes, (panel, networks) in zip((first, second, third), norms.items(), strict=True):
        for color, (name, by_seed) in zip(PALETTE, networks.items(), strict=False):
            layers = range(1, by_seed.shape[1] + 1)
            axes.fill_between(layers, by_seed.amin(0), by_seed.amax(0), color=color, alpha=0.2, linewidth=0)
            axes.plot(layers, by_seed.log().mean(0).exp(), color=color, label=name, linewidth=1.6)
        axes.set(yscale="log", xlabel="layer, counted from the input")
        axes.set_title(panel, fontsize=11)
        axes.legend(loc="lower right")
    third.legend(loc="center", bbox_to_anchor=(0.55, 0.36))
    first.set_ylabel(f"norm of the gradient\n(geometric mean and range of {SEEDS} seeds)")
    return fig
