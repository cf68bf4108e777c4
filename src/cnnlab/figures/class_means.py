"""The mean image of each class."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from cnnlab.figures.image_grid import draw_image_grid
from cnnlab.figures.labels import class_labels

MOST = 100  # classes in the figure


def draw_class_means(means: Tensor, counts: Sequence[int], classes: Sequence[str], title: str) -> Figure:
    """Draw the mean image of each class that has images, at most MOST.

    The contrast is stretched, by the same factor for all classes: the darkest value becomes black, the brightest white.

    Args:
        means: (num_classes, C, H, W) in [0, 1].
        counts: the number of images of each class.
        classes: the class names.
        title: the title of the figure.
    """
    shown = [number for number, count in enumerate(counts) if count][:MOST]
    values = means[shown]
    low, high = values.aminmax()
    labels = class_labels(classes)
    captions = [f"{labels[number]}\n{counts[number]:,} images" for number in shown]
    return draw_image_grid((values - low) / (high - low).clamp(min=1e-6), captions, columns=10, title=title)
