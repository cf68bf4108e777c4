"""A confusion matrix: the predicted classes of each true class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from cnnlab.figures.fonts import drawable, fonts_for
from cnnlab.figures.labels import class_labels, fit
from cnnlab.figures.style import DPI, figure, save, styled

MOST_LABELED = 20  # with more classes, the cells are too small for numbers
MOST_NAMED = 120  # with more classes, the axes have numbers
CELL, SMALL = 0.5, 0.105  # inches of a cell with numbers, and without
LONGEST, NAMES = 40, 1.8  # characters and inches of a class name
LETTER = 0.1  # inches of a letter, about


def draw_confusion(counts: Tensor, classes: Sequence[str], title: str, path: Path) -> Path:
    """Write the figure of `confusion_figure` as the PNG file `path`, and return `path`."""
    return save(confusion_figure(counts, classes, title), path)


@styled
def confusion_figure(counts: Tensor, classes: Sequence[str], title: str) -> Figure:
    """Draw a confusion matrix: colors for fractions of each true class, numbers and row percentages in the cells.

    Args:
        counts: (num_classes, num_classes) numbers of images, by true and predicted class.
        classes: the class names.
        title: the title of the figure.
    """
    n = len(classes)
    fractions = counts.double() / counts.sum(1, keepdim=True).clamp(min=1)
    side = CELL * n if n <= MOST_LABELED else SMALL * min(n, MOST_NAMED)
    with fonts_for((*classes, title)):
        names = min(NAMES, LETTER * max(map(len, classes))) if n <= MOST_NAMED else 0.0
        fig = figure(max(4.4, side + 1.9 + names), max(3.4, side + 1.1 + names))
        axes = fig.subplots()
        axes.grid(visible=False)
        image = axes.imshow(fractions.numpy(), cmap="Blues", vmin=0, vmax=1)
        bar = fig.colorbar(image, ax=axes, fraction=0.046, label="fraction of the true class")
        bar.outline.set_visible(False)
        axes.set(xlabel="predicted class", ylabel="true class")
        fig.suptitle(drawable(title), fontsize=10)
        if n <= MOST_LABELED:
            _write_numbers(axes, counts, fractions)
        if n <= MOST_NAMED:
            _write_names(fig, axes, classes)
    return fig


def _write_numbers(axes: Axes, counts: Tensor, fractions: Tensor) -> None:
    """The number of images in each cell that has any, and below it the percentage of its row."""
    for row, (numbers, parts) in enumerate(zip(counts.tolist(), fractions.tolist(), strict=True)):
        for column, (number, part) in enumerate(zip(numbers, parts, strict=True)):
            if number:
                percentage = f"{100 * part:.0f}" if part == 1 or part >= 0.0995 else f"{100 * part:.1f}"
                style: dict[str, Any] = {"ha": "center", "color": "white" if part > 0.5 else "#333333"}
                axes.text(column, row, f"{int(number)}", va="bottom", fontsize=8, **style)
                axes.text(column, row + 0.06, f"{percentage} %", va="top", fontsize=6.2, **style)


def _write_names(fig: Figure, axes: Axes, classes: Sequence[str]) -> None:
    n, labels = len(classes), class_labels(classes, LONGEST)
    letters = 8.5 if n <= MOST_LABELED else 5.5
    is_long = n > MOST_LABELED or max(map(len, labels)) > 3
    turned: Any = {"rotation": 90 if n > MOST_LABELED else 45, "ha": "right", "rotation_mode": "anchor"}
    if n > MOST_LABELED:
        turned |= {"va": "center"}
    axes.set_yticks(range(n), labels, fontsize=letters)
    fig.set_dpi(DPI)
    renderer = FigureCanvasAgg(fig).get_renderer()
    for label in axes.get_yticklabels():
        fit(label, NAMES, renderer)
    fitted = [(label.get_text(), label.get_fontsize()) for label in axes.get_yticklabels()]
    axes.set_xticks(range(n), [text for text, _ in fitted], **(turned if is_long else {}))
    for label, (_, size) in zip(axes.get_xticklabels(), fitted, strict=True):
        label.set_fontsize(size)
    axes.tick_params(length=2)
