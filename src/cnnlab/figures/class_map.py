"""Where in an image a network sees each class."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from cnnlab.analysis.field import Field
from cnnlab.figures.style import figure, save, styled

SHOWN = 4  # classes


@styled
def draw_class_map(image: Tensor, logits: Tensor, field: Field, classes: Sequence[str], title: str, path: Path) -> Path:
    """Draw the probabilities of the classes with the largest logits over the image, transparent where they are small.

    Args:
        image: (C, H, W) floats in [0, 1], of one or three channels.
        logits: (num_classes, H', W').
        field: the receptive field of a logit; its start and jump place the logit in the image.
    """
    probabilities = logits.softmax(0)
    order = logits.flatten(1).amax(1).argsort(descending=True)[:SHOWN].tolist()
    height, width = image.shape[1:]
    columns = len(order) + 1
    side = 2.6
    drawn = figure(columns * side + 0.8, side * min(2.0, max(0.4, height / width)) + 0.6)
    top, left = (axis.start - axis.jump / 2 for axis in field.axes)
    bottom = top + field.vertical.jump * logits.shape[1]
    right = left + field.horizontal.jump * logits.shape[2]
    pixels = image.permute(1, 2, 0).squeeze(2).numpy()
    gray = image.mean(0).numpy()
    panels = drawn.subplots(1, columns)
    panels[0].imshow(pixels, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
    panels[0].set_title("image", fontsize=10)
    overlay = None
    for axes, index in zip(panels[1:], order, strict=True):
        axes.imshow(gray, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
        shown = probabilities[index].numpy()
        overlay = axes.imshow(
            shown, cmap="plasma", vmin=0, vmax=1, alpha=0.75 * shown, extent=(left, right, bottom, top)
        )
        axes.set_title(f"{classes[index]}: up to {100 * probabilities[index].max():.0f} %", fontsize=10)
    for axes in panels:
        axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    if overlay is not None:
        bar = drawn.colorbar(overlay, ax=list(panels), fraction=0.03, pad=0.01, label="probability")
        assert bar.solids is not None
        bar.solids.set_alpha(1)
    drawn.suptitle(title, fontsize=11)
    return save(drawn, path)
