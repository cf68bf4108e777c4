"""Precision, recall and F1 of each class."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ClassScores:
    """Numbers in [0, 1] by class, each (num_classes,); 0 where nothing was predicted, or no image has the class.

    Attributes:
        precision: fraction of the images predicted as this class that have it.
        recall: fraction of the images of this class that are predicted as it.
        f1: harmonic mean of both.
    """

    precision: Tensor
    recall: Tensor
    f1: Tensor

    @property
    def macro(self) -> tuple[float, float, float]:
        """The unweighted means over the classes."""
        return self.precision.mean().item(), self.recall.mean().item(), self.f1.mean().item()


def class_scores(confusion: Tensor) -> ClassScores:
    """The scores from counts (num_classes, num_classes) by true and predicted class."""
    counts = confusion.double()
    hits, actual, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    return ClassScores(
        hits / predicted.clamp(min=1), hits / actual.clamp(min=1), 2 * hits / (actual + predicted).clamp(min=1)
    )
