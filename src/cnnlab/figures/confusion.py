"""A confusion matrix: the predicted classes of each true class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from cnnlab.figures.style import figure, save, styled

MOST_LABELED = 20  # with more classes, the cells are too small for numbers


@styled
def draw_confusion(counts: Tensor, classes: Sequence[str], title: str, path: Path) -> Path:
    """Draw a confusion matrix as fractions of each true class, with the counts in the cells.

    Args:
        counts: (num_classes, num_classes) numbers of images, by true and predicted class.
        classes: the class names.
        title: the title of the figure.
        path: the PNG file to write.

    Returns:
        `path`.
    """
    n = len(classes)
    fractions = counts.double() / counts.sum(1, keepdim=True).clamp(min=1)
    side = 2.2 + 0.42 * min(n, MOST_LABELED)
    fig = figure(side + 0.6, side)
    axes = fig.subplots()
    axes.grid(visible=False)
    image = axes.imshow(fractions.numpy(), cmap="Blues", vmin=0, vmax=1)
    fig.colorbar(image, ax=axes, fraction=0.046, label="fraction of the true class")
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_title(title, fontsize=10)
    if n <= MOST_LABELED:
        rotation: Any = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, classes)) > 3 else {}
        axes.set_xticks(range(n), classes, **rotation)
        axes.set_yticks(range(n), classes)
        for row in range(n):
            for column in range(n):
                if counts[row, column]:
                    color = "white" if fractions[row, column] > 0.5 else "#333333"
                    text = f"{int(counts[row, column])}"
                    axes.text(column, row, text, ha="center", va="center", color=color, fontsize=7)
    return save(fig, path)
