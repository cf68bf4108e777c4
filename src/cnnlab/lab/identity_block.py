"""A residual block whose weights are near 0 is the identity; the same layers without the shortcut erase the image.

Weights of a basic block of ResNet-18 are multiplied by a factor from 1 to 0, and the output is compared with the input,
which is not negative, as the output of an earlier ReLU is.

Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015, section 3.1.
"""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.finding import Finding, Settings

FACTORS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.0)
CHANNELS, SIDE = 16, 16
NAMES = ("with shortcut", "without shortcut")


class Layers(nn.Module):
    """Two 3x3 convolutions with a ReLU between them: the residual function F."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(CHANNELS, CHANNELS, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(CHANNELS, CHANNELS, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(torch.relu(self.conv1(x)))


def distances(x: Tensor, factor: float, seed: int) -> tuple[float, float]:
    """|relu(x + F(x)) - x| / |x| and |relu(F(x)) - x| / |x| with all weights of F times `factor`."""
    torch.manual_seed(seed)
    layers = Layers()
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.mul_(factor)
        change = layers(x)
        outputs = (torch.relu(x + change), torch.relu(change))
    first, second = (float((output - x).norm() / x.norm()) for output in outputs)
    return first, second


def experiment(settings: Settings) -> Finding:
    generator = torch.Generator().manual_seed(settings.seed)
    x = torch.randn(1, CHANNELS, SIDE, SIDE, generator=generator).relu()
    with torch.random.fork_rng():
        measured = {factor: distances(x, factor, settings.seed) for factor in FACTORS}
    with_shortcut, without = measured[0.0]
    is_identity = with_shortcut == 0
    title = (
        f"With weights of 0, a residual block {'is exactly the identity' if is_identity else 'is NOT the identity'}; "
        f"without its shortcut, it {'erases its input' if without == 1 else 'does NOT erase its input'}"
    )
    text = "\n".join(
        [
            "block: relu(x + F(x)); without shortcut: relu(F(x)); F: 3x3 convolution, ReLU, 3x3 convolution",
            "difference from the input x, as a fraction of its norm, by the factor of all weights of F:",
            "",
            f"{'factor':>8}" + "".join(f"{name:>19}" for name in NAMES),
            *(f"{factor:>8g}" + "".join(f"{value:>19.6f}" for value in pair) for factor, pair in measured.items()),
        ]
    )
    values = {name: {str(f): pair[i] for f, pair in measured.items()} for i, name in enumerate(NAMES)}
    return Finding(title, text, values, draw(measured))


@styled
def draw(measured: Mapping[float, Sequence[float]]) -> Figure:
    """Draw the difference from the input by the weights' factor."""
    fig = figure(7, 4)
    axes = fig.subplots()
    places = range(len(measured))
    for i, name in enumerate(NAMES):
        values = [pair[i] for pair in measured.values()]
        axes.plot(places, values, color=PALETTE[i], marker="os"[i], label=name)
    axes.set_xticks(places, [f"{factor:g}" for factor in measured])
    axes.set(xlabel="factor of all weights", ylabel="difference from the input / norm of the input", ylim=(-0.05, None))
    axes.legend()
    return fig
