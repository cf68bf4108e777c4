"""What the images of a set are like: per class and per channel."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cnnlab.data.datamodule import Subset

CHUNK = 4096  # images read together
LEVELS = 256


@dataclass(frozen=True)
class Description:
    """Images of one set.

    Attributes:
        class_counts: (num_classes,) numbers of images.
        class_means: (num_classes, C, H, W) mean images in [0, 1]; 0 for a class without images.
        histogram: (C, 256) numbers of pixels by value.
    """

    class_counts: Tensor
    class_means: Tensor
    histogram: Tensor

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean per channel of the pixels, scaled to [0, 1]."""
        return tuple(self._moment(1).tolist())

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation per channel of the pixels, scaled to [0, 1]."""
        return tuple((self._moment(2) - self._moment(1) ** 2).clamp(min=0).sqrt().tolist())

    def _moment(self, power: int) -> Tensor:
        values = (torch.arange(LEVELS, dtype=torch.float64) / (LEVELS - 1)) ** power
        return self.histogram.double() @ values / self.histogram[0].sum()


def describe(subset: Subset, num_classes: int) -> Description:
    """Read every image of `subset` once, some at a time."""
    shape = subset.split.images.shape[1:]
    sums = torch.zeros(num_classes, shape.numel(), dtype=torch.float64)
    histogram = torch.zeros(shape[0], LEVELS, dtype=torch.int64)
    for positions in torch.arange(len(subset)).split(CHUNK):
        images, labels = subset[positions]
        for label in labels.unique().tolist():
            sums[label] += images[labels == label].flatten(1).sum(0)  # of bytes in 64-bit integers
        for channel in range(shape[0]):
            histogram[channel] += torch.bincount(images[:, channel].flatten(), minlength=LEVELS)
    counts = torch.bincount(subset.labels, minlength=num_classes)
    means = sums / (LEVELS - 1) / counts.clamp(min=1)[:, None]
    return Description(counts, means.view(num_classes, *shape).float(), histogram)


def by_class_in_turn(labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Positions of `count` images: one of each class in the order of the labels, then a second one, and so on.

    Args:
        labels: (N,); all positions are returned if N is below `count`.
        count: number of positions.
        generator: draws the images of each class.
    """
    order = torch.randperm(len(labels), generator=generator)
    shuffled = labels[order]
    rounds = torch.empty_like(labels)  # how many images of its class come before each
    for label in shuffled.unique().tolist():
        of_class = shuffled == label
        rounds[of_class] = torch.arange(int(of_class.sum()))
    keys = rounds * (int(labels.max()) + 1) + shuffled
    return order[keys.argsort()[:count]]
