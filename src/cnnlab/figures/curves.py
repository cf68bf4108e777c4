"""Loss and accuracy by epoch, of training and of validation."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.ticker import MaxNLocator

from cnnlab.figures.style import PALETTE, figure, save, styled


@styled
def draw_curves(rows: Sequence[Mapping[str, float | int | None]], title: str, path: Path) -> Path:
    """Draw the rows of metrics.csv side by side: loss, accuracy in percent, learning rate."""
    epochs = [row["epoch"] for row in rows]
    drawn = figure(9.5, 3.0)
    loss, acc, rate = drawn.subplots(1, 3)
    for axes, metric, scale in ((loss, "loss", 1), (acc, "acc", 100)):
        for stage, label, color in (("train", "training", PALETTE[0]), ("val", "validation", PALETTE[1])):
            values = [row[f"{stage}/{metric}"] for row in rows]
            if any(value is not None for value in values):
                heights = [float("nan") if value is None else scale * value for value in values]
                axes.plot(epochs, heights, label=label, color=color, marker="o", markersize=2.5, linewidth=1.4)
    rate.plot(epochs, [row["lr"] for row in rows], color=PALETTE[2], marker="o", markersize=2.5, linewidth=1.4)
    for axes, name in ((loss, "loss"), (acc, "accuracy, %"), (rate, "learning rate at the epoch's end")):
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    loss.set_ylim(bottom=0)
    rate.set_ylim(bottom=0)
    acc.legend(loc="lower right")
    drawn.suptitle(title, fontsize=11)
    return save(drawn, path)
