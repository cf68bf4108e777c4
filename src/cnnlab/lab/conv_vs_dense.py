"""Convolution against full connection: what sharing a few weights saves, and what it brings on digits that moved.

A fully connected unit sees every pixel with a weight of its own, a locally connected one only its window, and a
convolution looks into each window with the same weights. Networks of about equal parameters learn digits in the middle
of 12x12 pixels and are tested on digits that lie up to 2 pixels beside it, still whole.
"""

from collections.abc import Callable, Mapping, Sequence

import matplotlib as mpl
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from cnnlab import models
from cnnlab.analysis.cost import count_parameters
from cnnlab.analysis.trace import trace
from cnnlab.analysis.worked import EXAMPLES
from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.digits import Images, digits, scores, trained
from cnnlab.lab.finding import Finding, Settings

SHIFTS = (0, 1, 2)  # pixels
FRAME = max(SHIFTS)  # empty pixels around a digit
SIDE = 8 + 2 * FRAME
SEEDS, EPOCHS, TRAIN_SIZE = 3, 12, 600


class LocallyConnected(nn.Module):
    """A convolution that shares nothing: (N, in_channels, H, H) to (N, out_channels, H - k + 1, H - k + 1)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, image_size: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.side = image_size - kernel_size + 1
        window, places = in_channels * kernel_size**2, self.side**2
        bound = window**-0.5  # as torch's layers begin
        self.weight = nn.Parameter(torch.empty(out_channels, window, places).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_channels, places).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        windows = F.unfold(x, self.kernel_size)
        y = torch.einsum("nkp,okp->nop", windows, self.weight) + self.bias
        return y.unflatten(2, (self.side, self.side))


def pooled(layer: nn.Module, channels: int) -> nn.Module:
    """`layer`, whose `channels` maps of 10x10 are halved by pooling and read by a fully connected layer."""
    return nn.Sequential(layer, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(25 * channels, 10))


def globally_pooled() -> nn.Module:
    """Two convolutions, and of each of the last maps only the largest value, wherever it stands."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, kernel_size=3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 48, kernel_size=3), nn.ReLU()),
        *(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(48, 10)),
    )


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: models.mlp(image_size=SIDE, hidden=(50,), dropout=0.0),
    "locally connected": lambda: pooled(LocallyConnected(1, 6, 3, SIDE), 6),
    "convolutional": lambda: pooled(nn.Conv2d(1, 30, kernel_size=3), 30),
    "two convolutions, global pooling": globally_pooled,
}


def counts() -> dict[str, int]:
    """Weights from 32x32 to 30x30 pixels, by three kinds of layers."""
    dense, kernel = EXAMPLES["32x32 to 30x30"].traces().values()
    local = LocallyConnected(1, 1, 3, 32)
    return {
        "fully connected": dense.total("weights"),
        "locally connected": local.weight.numel(),
        "convolution": kernel.total("weights"),
    }


def formulas() -> list[dict[str, int | str]]:
    """LeNet-5's convolutions: P·D·U·V + P parameters and M'·N'·P·D·U·V multiplications, beside the traced ones."""
    net = models.lenet5()
    rows = {row.name: row for row in trace(net, 1, 28).rows}
    found: list[dict[str, int | str]] = []
    for name, layer in net.named_modules():
        if isinstance(layer, nn.Conv2d):
            row, (p, d, u, v) = rows[name], layer.weight.shape
            places = row.shape[1] * row.shape[2]
            found.append(
                {
                    "layer": name,
                    "parameters": p * d * u * v + p,
                    "traced_parameters": row.weights + row.biases,
                    "multiplications": places * p * d * u * v,
                    "traced_multiplications": row.multiplications,
                }
            )
    return found


def moved(data: Images, shift: int) -> list[Images]:
    """The framed images moved by `shift` pixels up, down, left and right."""
    images, labels = data
    ways = [(0, 0)] if shift == 0 else [(-shift, 0), (shift, 0), (0, -shift), (0, shift)]
    return [(images.roll(way, (2, 3)), labels) for way in ways]


def framed(data: Images) -> Images:
    return F.pad(data[0], [FRAME] * 4), data[1]


def accuracy_by_shift(build: Callable[[], nn.Module], seed: int, epochs: int) -> list[float]:
    """The test accuracy in per cent at each of SHIFTS, over the four directions, after training on unmoved digits."""
    train, test = (framed(data) for data in digits(TRAIN_SIZE, seed))
    net = trained(build, train, epochs, seed)
    by_shift = [[scores(net, data)[1] for data in moved(test, shift)] for shift in SHIFTS]
    return [sum(accuracies) / len(accuracies) for accuracies in by_shift]


def experiment(settings: Settings) -> Finding:
    weights = counts()
    parameters = {name: count_parameters(build()) for name, build in NETWORKS.items()}
    runs = {
        name: torch.tensor([accuracy_by_shift(build, SEEDS * settings.seed + i, EPOCHS) for i in range(SEEDS)])
        for name, build in NETWORKS.items()
    }
    means = {name: run.mean(0).tolist() for name, run in runs.items()}
    spreads = {name: run.std(0).tolist() for name, run in runs.items()}
    dense, _, conv, pooled = (mean[-1] for mean in means.values())
    title = (
        f"A 3x3 kernel's {weights['convolution']} weights replace {weights['fully connected']:,}; of digits moved by "
        f"{SHIFTS[-1]} pixels the mlp knows {dense:.0f} %, a convolution {conv:.0f} %, two and global pooling "
        f"{pooled:.0f} %"
    )
    values = {
        "weights": weights,
        "formulas": formulas(),
        "parameters": parameters,
        "shifts": SHIFTS,
        "accuracy": {name: run.tolist() for name, run in runs.items()},
    }
    return Finding(title, text(weights, parameters, means, spreads), values, draw(weights, parameters, means, spreads))


def text(
    weights: Mapping[str, int],
    parameters: Mapping[str, int],
    means: Mapping[str, Sequence[float]],
    spreads: Mapping[str, Sequence[float]],
) -> str:
    """The counts, then the accuracies."""
    lines = ["from 32x32 to 30x30 pixels            weights"]
    lines += [f"{name:<32}{count:>13,}" for name, count in weights.items()]
    lines += ["", "LeNet-5's convolutions              P·D·U·V + P   traced   M'·N'·P·D·U·V   traced"]
    lines += [
        f"{row['layer']:<32}{row['parameters']:>15,}{row['traced_parameters']:>9,}"
        f"{row['multiplications']:>17,}{row['traced_multiplications']:>9,}"
        for row in formulas()
    ]
    lines += ["", f"test accuracy on moved digits, %, mean ± std of {SEEDS} seeds"]
    lines += [f"{'':<32}parameters" + "".join(f"{f'by {shift}':>14}" for shift in SHIFTS)]
    for name, mean in means.items():
        cells = (f"{f'{m:.1f} ± {s:.1f}':>14}" for m, s in zip(mean, spreads[name], strict=True))
        lines.append(f"{name:<32}{parameters[name]:>10,}" + "".join(cells))
    lines += ["", "shared weights find the same parts elsewhere; pooling over all places makes the answer ignore where"]
    return "\n".join(lines)


@styled
def draw(
    weights: Mapping[str, int],
    parameters: Mapping[str, int],
    means: Mapping[str, Sequence[float]],
    spreads: Mapping[str, Sequence[float]],
) -> Figure:
    """Above how the layers are wired, below the digits and the accuracies."""
    drawn = figure(10.0, 6.4)
    above, below = drawn.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.7)).ravel()
    for axes, (name, count) in zip(above.subplots(1, 3), weights.items(), strict=True):
        draw_wiring(axes, name)
        axes.set_title(f"{name}\n32x32 to 30x30: {count:,} weights", fontsize=10)
    left, right = below.subfigures(1, 2, squeeze=False, width_ratios=(1, 3.6)).ravel()
    image = framed(digits(TRAIN_SIZE, 0)[1])
    for axes, shift in zip(left.subplots(3, 1), SHIFTS, strict=True):
        axes.imshow(moved(image, shift)[-1][0][3, 0].numpy(), cmap="gray_r")
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        axes.spines[:].set(visible=True, color="#999999", linewidth=0.6)
        axes.set_title(f"moved by {shift}", fontsize=9)
    axes = right.subplots()
    for i, (name, mean) in enumerate(means.items()):
        label = f"{name}: {parameters[name]:,} parameters"
        place = [shift + 0.015 * (i - 1.5) for shift in SHIFTS]
        axes.errorbar(place, mean, spreads[name], label=label, marker="o", capsize=3, color=PALETTE[i])
    axes.axhline(10, color="#888888", linestyle=":", linewidth=1, zorder=1)
    axes.text(1.5, 9, "guessing", color="#666666", ha="center", va="top", fontsize=9)
    axes.set(xticks=SHIFTS, ylim=(0, 103), xlabel="test digits moved by, pixels", ylabel="test accuracy, %")
    axes.legend(loc="lower left", frameon=True, framealpha=1, edgecolor="none", fontsize=9)
    return drawn


def draw_wiring(axes: Axes, name: str) -> None:
    """Seven units below, five above; lines of one color are one weight."""
    axes.set_axis_off()
    own = mpl.colormaps["turbo"]
    inputs, outputs = 7, 5
    dense = name == "fully connected"
    lines = [(i, j) for j in range(outputs) for i in (range(inputs) if dense else range(j, j + 3))]
    for number, (i, j) in enumerate(lines):
        # Eleven steps on, so that neighbors get unlike colors.
        color = PALETTE[i - j] if name == "convolution" else own(number * 11 % len(lines) / len(lines))
        axes.plot([i, j + 1], [0, 1], color=color, linewidth=0.8 if dense else 1.6, zorder=1)
    for places, height in ((range(inputs), 0), (range(1, outputs + 1), 1)):
        axes.scatter(places, [height] * len(places), s=60, color="white", edgecolor="#333333", zorder=2)
    axes.set(xlim=(-0.6, inputs - 0.4), ylim=(-0.2, 1.2))
