"""Calibration: whether a network is right as often as it says."""

from dataclasses import dataclass

import torch
from torch import Tensor

BINS = 15


@dataclass(frozen=True)
class Reliability:
    """Images in bins of equal width by the probability of their predicted class.

    Attributes:
        counts: (bins,) number of images.
        confidence: (bins,) mean probability of the predicted class; 0 in an empty bin.
        accuracy: (bins,) fraction of correct predictions; 0 in an empty bin.
    """

    counts: Tensor
    confidence: Tensor
    accuracy: Tensor

    @property
    def error(self) -> float:
        """Expected calibration error: the mean over all images of |accuracy - confidence| of their bin."""
        gaps = (self.accuracy - self.confidence).abs()
        return float((self.counts * gaps).sum() / self.counts.sum())

    @property
    def overconfidence(self) -> float:
        """Mean confidence minus accuracy."""
        return float((self.counts * (self.confidence - self.accuracy)).sum() / self.counts.sum())


def reliability(logits: Tensor, labels: Tensor, bins: int = BINS) -> Reliability:
    """Sort predictions into bins (lower, upper] of their confidence.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equations 1 to 3.

    Args:
        logits: (N, num_classes).
        labels: (N,) true classes.
        bins: number of bins between 0 and 1.
    """
    confidence, predicted = logits.double().softmax(1).max(1)
    index = (confidence * bins).ceil().long().clamp(1, bins) - 1
    counts = torch.bincount(index, minlength=bins)
    sums = torch.zeros(2, bins, dtype=torch.float64)
    sums[0].index_add_(0, index, confidence)
    sums[1].index_add_(0, index, (predicted == labels).double())
    means = sums / counts.clamp(min=1)
    return Reliability(counts, means[0], means[1])
