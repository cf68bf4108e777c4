"""Dropout: its effect on a layer in training and in evaluation, and its effect on overfitting.

In training, each value is set to 0 with probability p and the others are divided by 1 - p. This preserves the
expectation, so evaluation needs neither dropout nor a correction. An mlp overfits 200 digits with and without dropout.

Sources: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014, section 4 (the
model); Zhang et al., "Dive into Deep Learning", 2023, section 5.6 (with the division by 1 - p in training).
"""

from collections.abc import Mapping

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from cnnlab import models, ops
from cnnlab.figures.maps import draw_map
from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.digits import Images, digits, evaluate, trained
from cnnlab.lab.finding import Finding, Settings

P = 0.5
DRAWS = 1000
HIDDEN = (256, 256)
SEEDS, EPOCHS, TRAIN_SIZE = 3, 60, 200
NAMES = {0.0: "without dropout", P: f"dropout {P}"}


def layer(seed: int, p: float = P) -> dict[str, Tensor]:
    """Apply dropout to (6, 6) values from 1 to 9: two training passes, the mean of DRAWS passes, and evaluation."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(1, 10, (6, 6), generator=generator).double()
    passes = torch.stack([ops.dropout(x, p, training=True, generator=generator) for _ in range(DRAWS)])
    return {
        "input": x,
        "training pass 1": passes[0],
        "training pass 2": passes[1],
        f"mean of {DRAWS:,} training passes": passes.mean(0),
        "evaluation": ops.dropout(x, p, training=False),
    }


def curves(p: float, train: Images, val: Images, seed: int, epochs: int) -> dict[str, list[float]]:
    """Train an mlp and measure it after each epoch: training loss, validation loss, validation accuracy in percent.

    Args:
        p: the probability of dropout, used in training only.
        train: the training images.
        val: the validation images.
        seed: determines the initial weights, the order of the images and the dropped values.
        epochs: number of epochs.
    """
    results: dict[str, list[float]] = {"train/loss": [], "val/loss": [], "val/acc": []}

    def measure(net: nn.Module) -> None:
        for values, value in zip(results.values(), (evaluate(net, train)[0], *evaluate(net, val)), strict=True):
            values.append(value)

    trained(lambda: models.mlp(image_size=8, hidden=HIDDEN, dropout=p), train, epochs, seed, after_epoch=measure)
    return results


def experiment(settings: Settings) -> Finding:
    maps = layer(settings.seed)
    data = digits(TRAIN_SIZE, settings.seed)
    seeds = range(SEEDS * settings.seed, SEEDS * (settings.seed + 1))
    runs = {name: [curves(p, *data, seed, EPOCHS) for seed in seeds] for p, name in NAMES.items()}
    stacked = {
        name: {metric: torch.tensor([run[metric] for run in by_seed]) for metric in by_seed[0]}
        for name, by_seed in runs.items()
    }
    (_, bare), (_, dropped) = stacked.items()
    title = (
        f"With dropout, the lowest validation loss is {dropped['val/loss'].amin(1).mean():.2f} instead of "
        f"{bare['val/loss'].amin(1).mean():.2f}, and the final accuracy is {dropped['val/acc'][:, -1].mean():.1f} % "
        f"instead of {bare['val/acc'][:, -1].mean():.1f} %"
    )
    x, first, _, mean, evaluated = maps.values()
    lines = [
        f"36 values, p = {P}: in training, {(first == 0).double().mean():.0%} become 0 and the others are doubled",
        f"in evaluation, {'no value changes' if evaluated.equal(x) else 'values CHANGE'}",
        f"the input has mean {x.mean():.3f}, the average of {DRAWS:,} training passes has mean {mean.mean():.3f}",
        "",
        f"mlp with {' and '.join(map(str, HIDDEN))} hidden units on {TRAIN_SIZE} digits, mean ± std of {SEEDS} seeds:",
        f"{'':<18}{'training loss':>18}{'validation loss':>18}{'accuracy, %':>16}{'lowest validation loss':>26}",
        f"{'':<18}{'last epoch':>18}{'last epoch':>18}{'last epoch':>16}{'value':>16}{'epoch':>10}",
    ]
    for name, results in stacked.items():
        lowest, index = results["val/loss"].min(1)
        train_loss, val_loss, accuracy = (values[:, -1] for values in results.values())
        lines.append(
            f"{name:<18}{spread(train_loss, 4):>18}{spread(val_loss, 3):>18}{spread(accuracy, 1):>16}"
            f"{spread(lowest, 3):>16}{spread(index + 1.0, 0):>10}"
        )
    higher = {m: int((dropped[m][:, -1] > bare[m][:, -1]).sum()) for m in dropped}
    lines += [
        "",
        f"with dropout, the final validation loss is lower for {SEEDS - higher['val/loss']} of {SEEDS} seeds and the "
        f"final accuracy is higher for {higher['val/acc']}",
    ]
    values = {"layer": {name: value.tolist() for name, value in maps.items()}, "runs": runs}
    return Finding(title, "\n".join(lines), values, draw(maps, stacked))


def spread(values: Tensor, decimals: int) -> str:
    """Format the mean and the sample standard deviation."""
    return f"{values.mean():.{decimals}f} ± {values.std():.{decimals}f}"


@styled
def draw(maps: Mapping[str, Tensor], stacked: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """Draw the passes of the layer above the loss and the accuracy by epoch."""
    fig = figure(10.0, 6.2)
    above, below = fig.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.6)).ravel()
    for axes, (name, values) in zip(above.subplots(1, len(maps)), maps.items(), strict=True):
        draw_map(axes, values.round(decimals=1), name)
    losses, accuracies = below.subplots(1, 2)
    for color, (name, results) in zip(PALETTE, stacked.items(), strict=False):
        draw_band(losses, results["train/loss"], color, f"{name}, training", "--")
        draw_band(losses, results["val/loss"], color, f"{name}, validation", "-")
        draw_band(accuracies, results["val/acc"], color, name, "-")
    losses.set(ylim=(0, 1), ylabel="cross-entropy loss", xlabel="epoch")
    below.suptitle(f"mean ± std of {SEEDS} seeds", fontsize=10)
    accuracies.set(ylim=(80, 96), ylabel="validation accuracy, %", xlabel="epoch")
    losses.legend()
    accuracies.legend(loc="lower right")
    return fig


def draw_band(axes: Axes, values: Tensor, color: str, name: str, style: str) -> None:
    """Draw the mean over seeds of `values` (seeds, epochs) in a band of ± one standard deviation."""
    epochs, mean, std = range(1, values.shape[1] + 1), values.mean(0), values.std(0)
    axes.fill_between(epochs, mean - std, mean + std, color=color, alpha=0.15, linewidth=0)
    axes.plot(epochs, mean, style, color=color, label=name, linewidth=1.6)
