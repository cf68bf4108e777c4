"""Dropout: what a layer does in training and in testing, and what that does against learning by heart.

In training each value is set to 0 with probability p and the others are divided by 1 - p, so that the expectation is
kept and a test needs no dropout and no correction. An mlp learns 200 digits by heart with and without it.
"""

from collections.abc import Mapping

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from cnnlab import models, ops
from cnnlab.figures.maps import draw_map
from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.digits import Images, digits, scores, trained
from cnnlab.lab.finding import Finding, Settings

P = 0.5
DRAWS = 1000
HIDDEN = (256, 256)
SEEDS, EPOCHS, TRAIN_SIZE = 3, 60, 200
NAMES = {0.0: "without dropout", P: f"dropout {P}"}


def layer(seed: int, p: float = P) -> dict[str, Tensor]:
    """One layer on values (6, 6) from 1 to 9: two passes in training, their mean over DRAWS, and the test."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(1, 10, (6, 6), generator=generator).double()
    passes = torch.stack([ops.dropout(x, p, training=True, generator=generator) for _ in range(DRAWS)])
    return {
        "input": x,
        "in training": passes[0],
        "the next time": passes[1],
        f"mean of {DRAWS:,} times": passes.mean(0),
        "in testing": ops.dropout(x, p, training=False),
    }


def curves(p: float, train: Images, val: Images, seed: int, epochs: int) -> dict[str, list[float]]:
    """After each epoch: the losses on the training and the validation images and the latter's accuracy in per cent.

    All are measured without dropout; `seed` draws first weights, order and what is dropped.
    """
    found: dict[str, list[float]] = {"train/loss": [], "val/loss": [], "val/acc": []}

    def measure(net: nn.Module) -> None:
        now = (scores(net, train)[0], *scores(net, val))
        for values, value in zip(found.values(), now, strict=True):
            values.append(value)

    trained(lambda: models.mlp(image_size=8, hidden=HIDDEN, dropout=p), train, epochs, seed, after_epoch=measure)
    return found


def experiment(settings: Settings) -> Finding:
    maps = layer(settings.seed)
    data = digits(TRAIN_SIZE, settings.seed)
    seeds = range(SEEDS * settings.seed, SEEDS * (settings.seed + 1))
    runs = {name: [curves(p, *data, seed, EPOCHS) for seed in seeds] for p, name in NAMES.items()}
    stacked = {
        name: {metric: torch.tensor([run[metric] for run in several]) for metric in several[0]}
        for name, several in runs.items()
    }
    (_, bare), (_, dropped) = stacked.items()
    title = (
        f"With dropout the least validation loss is {dropped['val/loss'].amin(1).mean():.2f} in place of "
        f"{bare['val/loss'].amin(1).mean():.2f}, the last accuracy {dropped['val/acc'][:, -1].mean():.1f} in place of "
        f"{bare['val/acc'][:, -1].mean():.1f} %"
    )
    x, mean = maps["input"], maps[f"mean of {DRAWS:,} times"]
    zeros = float((maps["in training"] == 0).double().mean())
    lines = [
        f"a layer of 36 values, p = {P}: in training {zeros:.0%} become 0 and the others are doubled; in testing "
        f"{'nothing changes' if maps['in testing'].equal(x) else 'values change'}",
        f"mean of the input {x.mean():.3f}, of {DRAWS:,} passes in training {mean.mean():.3f}",
        "",
        f"mlp with {' and '.join(map(str, HIDDEN))} hidden units on {TRAIN_SIZE} digits, mean ± std of {SEEDS} seeds",
        f"{'':<18}{'training loss':>18}{'validation loss':>18}{'its least':>16}{'at epoch':>14}{'accuracy, %':>16}",
    ]
    for name, found in stacked.items():
        least, where = found["val/loss"].min(1)
        last = {metric: values[:, -1] for metric, values in found.items()}
        lines.append(
            f"{name:<18}{spread(last['train/loss'], 4):>18}{spread(last['val/loss'], 3):>18}{spread(least, 3):>16}"
            f"{spread(where + 1.0, 0):>14}{spread(last['val/acc'], 1):>16}"
        )
    wins = {m: int((dropped[m][:, -1] > bare[m][:, -1]).sum()) for m in dropped}
    lines += [
        "",
        f"with dropout the last validation loss is lower for {SEEDS - wins['val/loss']} of {SEEDS} seeds, "
        f"the last accuracy higher for {wins['val/acc']}",
    ]
    values = {"layer": {name: value.tolist() for name, value in maps.items()}, "runs": runs}
    return Finding(title, "\n".join(lines), values, draw(maps, stacked))


def spread(values: Tensor, decimals: int) -> str:
    return f"{values.mean():.{decimals}f} ± {values.std():.{decimals}f}"


@styled
def draw(maps: Mapping[str, Tensor], stacked: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """Above what the layer does, below the losses by epoch."""
    drawn = figure(10.0, 6.2)
    above, below = drawn.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.6)).ravel()
    for axes, (name, values) in zip(above.subplots(1, len(maps)), maps.items(), strict=True):
        draw_map(axes, values.round(decimals=1), name)
    losses, accuracies = below.subplots(1, 2)
    for color, (name, found) in zip(PALETTE, stacked.items(), strict=False):
        draw_band(losses, found["train/loss"], color, f"{name}, training", "--")
        draw_band(losses, found["val/loss"], color, f"{name}, validation", "-")
        draw_band(accuracies, found["val/acc"], color, name, "-")
    losses.set(ylim=(0, 1), ylabel="loss", xlabel="epoch")
    accuracies.set(ylim=(80, 96), ylabel="validation accuracy, %", xlabel="epoch")
    losses.legend()
    accuracies.legend(loc="lower right")
    return drawn


def draw_band(axes: Axes, found: Tensor, color: str, name: str, style: str) -> None:
    """The mean over seeds (seeds, epochs), and one standard deviation around it."""
    epochs, mean, std = range(1, found.shape[1] + 1), found.mean(0), found.std(0)
    axes.fill_between(epochs, mean - std, mean + std, color=color, alpha=0.15, linewidth=0)
    axes.plot(epochs, mean, style, color=color, label=name, linewidth=1.6)
