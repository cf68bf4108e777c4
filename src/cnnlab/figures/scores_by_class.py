"""Precision, recall and F1 of each class."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from cnnlab.figures.fonts import fonts_for
from cnnlab.figures.labels import class_labels
from cnnlab.figures.overlay import LETTERS, SMALL, lines_of
from cnnlab.figures.style import COLUMN, PALETTE, PRINT_DPI, figure, save, styled

MARKS = ("<", ">", "o")
MOST = 100  # classes in the figure: those with the lowest last score


@styled
def draw_scores(scores: Mapping[str, Tensor], classes: Sequence[str], title: str, path: Path) -> Path:
    """Draw the scores of each class in a row, in percent, the class with the lowest last score at the top.

    Args:
        scores: up to three, by name, each (num_classes,) in [0, 1].
        classes: the class names.
        title: the title of the figure.
        path: the PNG file to write.

    Returns:
        `path`.
    """
    order = list(scores.values())[-1].argsort(stable=True)[:MOST].tolist()
    labels = class_labels(classes)
    with fonts_for((title, *classes)):
        fig = figure(COLUMN, 1.0 + 0.17 * len(order) + 0.14 * len(lines_of(title)))
        axes = fig.subplots()
        for (name, values), mark, color in zip(scores.items(), MARKS, PALETTE, strict=False):
            axes.plot(
                [100 * float(values[label]) for label in order], range(len(order)), mark, color=color, label=name,
                markersize=4.5, markeredgewidth=0, alpha=0.9,
            )  # fmt: skip
        axes.set_yticks(range(len(order)), [labels[label] for label in order], fontsize=SMALL)
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.set_xlabel("%", fontsize=LETTERS)
        axes.tick_params(labelsize=SMALL)
        fig.legend(loc="outside lower center", ncols=3, fontsize=SMALL, handletextpad=0.1)
        fig.suptitle("\n".join(lines_of(title)), fontsize=LETTERS)
        return save(fig, path, PRINT_DPI)
