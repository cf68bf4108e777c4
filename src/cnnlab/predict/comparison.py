"""Two networks on the same images: where they agree, and whether one is better."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest
from torch import Tensor

RESAMPLES = 10_000
COVERAGE = 0.95


@dataclass(frozen=True)
class Comparison:
    """Numbers of images, and what they say about the difference of the accuracies.

    Attributes:
        agreement: fraction of the images for which both networks predict the same class.
        both, only_first, only_second, neither: number of images that they predict correctly.
        p: of McNemar's exact test: the probability of a difference at least as large between equally good networks.
        difference: accuracy of the first minus accuracy of the second, in [-1, 1].
        interval: 95 % interval of the difference, by bootstrap over images.
    """

    agreement: float
    both: int
    only_first: int
    only_second: int
    neither: int
    p: float
    difference: float
    interval: tuple[float, float]


def compare(first: Tensor, second: Tensor, labels: Tensor, seed: int = 0) -> Comparison:
    """Compare the predictions (N,) of two networks with the labels (N,).

    Args:
        seed: of the bootstrap's resamples.
    """
    first_correct, second_correct = first == labels, second == labels
    both = int((first_correct & second_correct).sum())
    only_first = int((first_correct & ~second_correct).sum())
    only_second = int((second_correct & ~first_correct).sum())
    total = len(labels)
    return Comparison(
        agreement=(first == second).double().mean().item(),
        both=both,
        only_first=only_first,
        only_second=only_second,
        neither=total - both - only_first - only_second,
        p=mcnemar(only_first, only_second),
        difference=(only_first - only_second) / total,
        interval=bootstrap(only_first, only_second, total, seed),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """The p-value of McNemar's exact test (1947): only the images that one network gets right count.

    If both are equally good, each of them is as likely to be right for the first as for the second.
    """
    different = only_first + only_second
    return float(binomtest(only_first, different, 0.5).pvalue) if different else 1.0


def bootstrap(
    only_first: int, only_second: int, total: int, seed: int, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """The 95 % percentile interval of the difference of two accuracies, by bootstrap over images.

    A resample of the images is a multinomial draw of the numbers of images that only the first network, only the
    second, and both or neither get right.
    """
    fractions = np.array([only_first, only_second, total - only_first - only_second]) / total
    drawn = np.random.default_rng(seed).multinomial(total, fractions, size=resamples)
    differences = (drawn[:, 0] - drawn[:, 1]) / total
    low, high = np.quantile(differences, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)
