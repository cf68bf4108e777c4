"""Convolutional against fully connected layers: the weights that sharing saves, and the accuracy on shifted digits.

A fully connected unit has one weight per pixel. A locally connected unit has one weight per pixel of its window. A
convolution uses the same weights in every window. Networks with nearly equal numbers of parameters learn digits at the
center of 12x12 pixels and are tested on digits shifted by up to 2 pixels, which stay inside the image.

Sources: Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 9.2 (parameter sharing, equivariance) and
section 9.5 (locally connected layers); Zhang et al., "Dive into Deep Learning", 2023, section 7.1 (from fully connected
layers to convolutions); LeCun et al., "Gradient-based learning applied to document recognition", 1998, section II.B
(LeNet-5).
"""

from collections.abc import Callable, Mapping

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
from cnnlab.lab.digits import Images, digits, evaluate, trained
from cnnlab.lab.finding import Finding, Settings

SHIFTS = (0, 1, 2)  # pixels
FRAME = max(SHIFTS)  # margin of empty pixels around a digit
SIDE = 8 + 2 * FRAME
SEEDS, EPOCHS, TRAIN_SIZE = 3, 12, 600


class LocallyConnected(nn.Module):
    """A convolution without shared weights: (N, in_channels, H, H) to (N, out_channels, H - k + 1, H - k + 1)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, image_size: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.side = image_size - kernel_size + 1
        window, positions = in_channels * kernel_size**2, self.side**2
        bound = window**-0.5  # the initialization of PyTorch's layers
        self.weight = nn.Parameter(torch.empty(out_channels, window, positions).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_channels, positions).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        windows = F.unfold(x, self.kernel_size)
        y = torch.einsum("nkp,okp->nop", windows, self.weight) + self.bias
        return y.unflatten(2, (self.side, self.side))


def pooled(layer: nn.Module, channels: int) -> nn.Module:
    """Append 2x2 max pooling and a fully connected layer to `layer`, which returns `channels` maps of 10x10."""
    return nn.Sequential(layer, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(25 * channels, 10))


def globally_pooled() -> nn.Module:
    """Build two convolutions followed by global max pooling and a fully connected layer."""
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
    """The weights of three kinds of layers from 32x32 to 30x30 pixels."""
    dense, kernel = EXAMPLES["32x32 to 30x30"].traces().values()
    local = LocallyConnected(1, 1, 3, 32)
    return {
        "fully connected": dense.total("weights"),
        "locally connected": local.weight.numel(),
        "convolution": kernel.total("weights"),
    }


def formulas() -> list[dict[str, int | str]]:
    """The parameters and multiplications of LeNet-5's convolutions, by formula and traced.

    A layer from D to P channels with U x V kernels and M' x N' outputs has P·D·U·V + P parameters and takes
    M'·N'·P·D·U·V multiplications.
    """
    net = models.lenet5()
    rows = {row.name: row for row in trace(net, 1, 28).rows}
    layers: list[dict[str, int | str]] = []
    for name, layer in net.named_modules():
        if isinstance(layer, nn.Conv2d):
            row, (p, d, u, v) = rows[name], layer.weight.shape
            layers.append(
                {
                    "layer": name,
                    "parameters": p * d * u * v + p,
                    "traced_parameters": row.weights + row.biases,
                    "multiplications": row.shape[1] * row.shape[2] * p * d * u * v,
                    "traced_multiplications": row.multiplications,
                }
            )
    return layers


def shifted(data: Images, shift: int) -> list[Images]:
    """Shift padded images by `shift` pixels up, down, left and right."""
    images, labels = data
    directions = [(0, 0)] if shift == 0 else [(-shift, 0), (shift, 0), (0, -shift), (0, shift)]
    return [(images.roll(direction, (2, 3)), labels) for direction in directions]


def padded(data: Images) -> Images:
    """Add FRAME empty pixels on each side."""
    return F.pad(data[0], [FRAME] * 4), data[1]


def accuracy_by_shift(build: Callable[[], nn.Module], seed: int, epochs: int) -> list[float]:
    """Train on centered digits and return the test accuracy in percent at each of SHIFTS, averaged over directions."""
    train, test = (padded(data) for data in digits(TRAIN_SIZE, seed))
    net = trained(build, train, epochs, seed)
    by_shift = [[evaluate(net, data)[1] for data in shifted(test, shift)] for shift in SHIFTS]
    return [sum(accuracies) / len(accuracies) for accuracies in by_shift]


def experiment(settings: Settings) -> Finding:
    weights = counts()
    parameters = {name: count_parameters(build()) for name, build in NETWORKS.items()}
    runs = {
        name: torch.tensor([accuracy_by_shift(build, SEEDS * settings.seed + i, EPOCHS) for i in range(SEEDS)])
        for name, build in NETWORKS.items()
    }
    dense, _, conv, pooled = (float(run[:, -1].mean()) for run in runs.values())
    title = (
        f"The {weights['convolution']} weights of a 3x3 kernel replace {weights['fully connected']:,}; accuracy on "
        f"digits shifted by {SHIFTS[-1]} pixels: mlp {dense:.0f} %, convolution {conv:.0f} %, two convolutions with "
        f"global pooling {pooled:.0f} %"
    )
    values = {
        "weights": weights,
        "formulas": formulas(),
        "parameters": parameters,
        "shifts": SHIFTS,
        "accuracy": {name: run.tolist() for name, run in runs.items()},
    }
    return Finding(title, describe(weights, parameters, runs), values, draw(weights, parameters, runs))


def describe(weights: Mapping[str, int], parameters: Mapping[str, int], runs: Mapping[str, Tensor]) -> str:
    """Format the counts and the accuracies."""
    lines = ["layer from 32x32 to 30x30 pixels      weights"]
    lines += [f"{name:<32}{count:>13,}" for name, count in weights.items()]
    lines += ["", "LeNet-5's convolutions              parameters   traced  multiplications   traced"]
    lines += ["                                   P·D·U·V + P             M'·N'·P·D·U·V"]
    lines += [
        f"{row['layer']:<32}{row['parameters']:>15,}{row['traced_parameters']:>9,}"
        f"{row['multiplications']:>17,}{row['traced_multiplications']:>9,}"
        for row in formulas()
    ]
    lines += ["", f"test accuracy in % on digits shifted by 0, 1 and 2 pixels, mean ± std of {SEEDS} seeds:"]
    lines += [f"{'':<32}parameters" + "".join(f"{f'shift {shift}':>14}" for shift in SHIFTS)]
    for name, run in runs.items():
        cells = (f"{f'{m:.1f} ± {s:.1f}':>14}" for m, s in zip(run.mean(0), run.std(0), strict=True))
        lines.append(f"{name:<32}{parameters[name]:>10,}" + "".join(cells))
    return "\n".join([*lines, "", *conclusions(runs)])


def conclusions(runs: Mapping[str, Tensor]) -> list[str]:
    """What the shift costs without shared weights, with them, and with global pooling; each run is (seeds, shifts)."""
    _, local, shared, pooled = (float((run[:, 0] - run[:, -1]).mean()) for run in runs.values())
    return [
        f"A shift by {SHIFTS[-1]} pixels costs {local:.1f} points without shared weights and {shared:.1f} with them: "
        f"sharing {'helps' if shared < local else 'does NOT help'}.",
        f"With global pooling, it costs {pooled:.1f} points: "
        f"discarding the position {'helps' if pooled < shared else 'does NOT help'}.",
    ]


@styled
def draw(weights: Mapping[str, int], parameters: Mapping[str, int], runs: Mapping[str, Tensor]) -> Figure:
    """Draw the connections of the layers above a shifted digit and the accuracies."""
    fig = figure(10.0, 6.4)
    above, below = fig.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.7)).ravel()
    for axes, (name, count) in zip(above.subplots(1, 3), weights.items(), strict=True):
        draw_wiring(axes, name)
        axes.set_title(f"{name}\n32x32 to 30x30: {count:,} weights", fontsize=10)
    left, right = below.subfigures(1, 2, squeeze=False, width_ratios=(1, 3.6)).ravel()
    images = padded(digits(TRAIN_SIZE, 0)[1])
    for axes, shift in zip(left.subplots(3, 1), SHIFTS, strict=True):
        axes.imshow(shifted(images, shift)[-1][0][3, 0].numpy(), cmap="gray_r")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color="#999999", linewidth=0.6)
        axes.set_title(f"shifted by {shift}", fontsize=9)
    axes = right.subplots()
    for i, (name, run) in enumerate(runs.items()):
        label = f"{name}: {parameters[name]:,} parameters"
        shifts = [shift + 0.015 * (i - 1.5) for shift in SHIFTS]  # slightly apart, so that no error bar hides another
        axes.errorbar(shifts, run.mean(0), run.std(0), label=label, marker="o", capsize=3, color=PALETTE[i])
    axes.axhline(10, color="#888888", linestyle=":", linewidth=1, zorder=1)
    axes.text(1.5, 9, "random guessing", color="#666666", ha="center", va="top", fontsize=9)
    axes.set(
        xticks=SHIFTS,
        ylim=(0, 103),
        xlabel="shift of the test digits, pixels",
        ylabel="test accuracy, %",
    )
    axes.set_title(f"mean ± std of {SEEDS} seeds", fontsize=10)
    axes.legend(loc="lower left", frameon=True, framealpha=1, edgecolor="none", fontsize=9)
    return fig


def draw_wiring(axes: Axes, name: str) -> None:
    """Draw seven inputs below five outputs; lines of the same color share a weight."""
    axes.set_axis_off()
    colors = mpl.colormaps["turbo"]
    inputs, outputs = 7, 5
    dense = name == "fully connected"
    lines = [(i, j) for j in range(outputs) for i in (range(inputs) if dense else range(j, j + 3))]
    for number, (i, j) in enumerate(lines):
        # Steps of eleven give neighbors different colors.
        color = PALETTE[i - j] if name == "convolution" else colors(number * 11 % len(lines) / len(lines))
        axes.plot([i, j + 1], [0, 1], color=color, linewidth=0.8 if dense else 1.6, zorder=1)
    for positions, height in ((range(inputs), 0), (range(1, outputs + 1), 1)):
        axes.scatter(positions, [height] * len(positions), s=60, color="white", edgecolor="#333333", zorder=2)
    axes.set(xlim=(-0.6, inputs - 0.4), ylim=(-0.2, 1.2))
