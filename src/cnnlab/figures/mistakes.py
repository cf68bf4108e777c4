"""The most confident mistakes of a network."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from cnnlab.figures.image_grid import draw_image_grid
from cnnlab.figures.labels import class_labels


def draw_mistakes(
    images: Tensor, labels: Tensor, predicted: Tensor, confidence: Tensor, classes: Sequence[str], title: str
) -> Figure:
    """Draw images with their true class and, below it, the predicted one and its probability.

    Args:
        images: uint8 (N, C, H, W).
        labels: true classes, (N,).
        predicted: predicted classes, (N,).
        confidence: probabilities of the predicted classes, (N,).
        classes: the class names.
        title: the title of the figure.
    """
    names = class_labels(classes)
    captions = [
        f"{names[true]}\nas {names[wrong]}\n{_percent(probability)}"
        for true, wrong, probability in zip(labels.tolist(), predicted.tolist(), confidence.tolist(), strict=True)
    ]
    return draw_image_grid(images, captions, columns=8, title=title)


def _percent(probability: float) -> str:
    """A probability that is not 1 does not become 100 %."""
    return ">99.9 %" if probability > 0.9995 else f"{100 * probability:.1f} %"
