"""Class probabilities by position, fig over an image."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from torch import Tensor

from cnnlab.analysis.field import Field
from cnnlab.figures.style import figure, save, styled

SHOWN = 4  # number of classes in the figure


@styled
def draw_class_map(image: Tensor, logits: Tensor, field: Field, classes: Sequence[str], title: str, path: Path) -> Path:
    """Draw the probabilities of the classes with the largest logits over the image; small ones are transparent.

    Args:
        image: (C, H, W) floats in [0, 1], with one or three channels.
        logits: (num_classes, H', W').
        field: the receptive field of a logit; its start and jump give the position of a logit in the image.
        classes: the class names.
        title: the title of the figure.
        path: the PNG file to write.

    Returns:
        `path`.
    """
    probabilities = logits.softmax(0)
    order = logits.flatten(1).amax(1).argsort(descending=True)[:SHOWN].tolist()
    height, width = image.shape[1:]
    columns = len(order) + 1
    side = 2.6
    fig = figure(columns * side + 0.8, side * min(2.0, max(0.4, height / width)) + 0.6)
    top, left = (axis.start - axis.jump / 2 for axis in field.axes)
    bottom = top + field.vertical.jump * logits.shape[1]
    right = left + field.horizontal.jump * logits.shape[2]
    pixels = image.permute(1, 2, 0).squeeze(2).numpy()
    gray = image.mean(0).numpy()
    panels = fig.subplots(1, columns)
    panels[0].imshow(pixels, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
    panels[0].set_title("image", fontsize=10)
    for axes, index in zip(panels[1:], order, strict=True):
        axes.imshow(gray, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
        shown = probabilities[index].numpy()
        axes.imshow(shown, cmap="plasma", vmin=0, vmax=1, alpha=0.75 * shown, extent=(left, right, bottom, top))
        axes.set_title(f"{classes[index]}: up to {100 * probabilities[index].max():.0f} %", fontsize=10)
    for axes in panels:
        axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    colors = ScalarMappable(Normalize(0, 1), "plasma")
    fig.colorbar(colors, ax=list(panels), fraction=0.03, pad=0.01, label="probability")
    fig.suptitle(title, fontsize=11)
    return save(fig, path)
