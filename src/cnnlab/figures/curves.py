"""Loss, accuracy and learning rate of one run, by epoch."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cnnlab.figures.style import PALETTE, figure, styled


@styled
def draw_curves(rows: Sequence[Mapping[str, float | int | None]], title: str, best_epoch: int | None = None) -> Figure:
    """Draw loss, accuracy in percent and learning rate from the rows of `metrics.csv`.

    Args:
        rows: one for each epoch.
        title: the title of the figure.
        best_epoch: the epoch to mark; None for none.
    """
    epochs = [row["epoch"] for row in rows]
    fig = figure(9.5, 3.0)
    loss, acc, lr = fig.subplots(1, 3)
    for axes, metric, scale in ((loss, "loss", 1), (acc, "acc", 100)):
        for stage, label, color in (("train", "training", PALETTE[0]), ("val", "validation", PALETTE[1])):
            values = [row[f"{stage}/{metric}"] for row in rows]
            if any(value is not None for value in values):
                heights = [float("nan") if value is None else scale * value for value in values]
                axes.plot(epochs, heights, label=label, color=color, marker="o", markersize=2.5, linewidth=1.4)
    lr.plot(epochs, [row["lr"] for row in rows], color=PALETTE[2], marker="o", markersize=2.5, linewidth=1.4)
    for axes, name in ((loss, "loss"), (acc, "accuracy, %"), (lr, "learning rate at the end of the epoch")):
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if best_epoch is not None:
            label = f"best epoch, {best_epoch}"
            axes.axvline(best_epoch, color=PALETTE[4], linewidth=1.4, linestyle=(0, (4, 2)), label=label, zorder=1)
    loss.set_ylim(bottom=0)
    lr.set_ylim(bottom=0)
    acc.legend(loc="lower right", fontsize=9)
    fig.suptitle(title, fontsize=11)
    return fig
