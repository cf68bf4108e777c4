"""Comparison of two groups of runs, seed by seed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean, stdev

from cnnlab.reporting.groups import Group, seed_of


@dataclass(frozen=True)
class Pair:
    """The first group minus the second, on the seeds that both have.

    Attributes:
        seeds: number of shared seeds.
        difference: mean of the differences.
        std: sample standard deviation of the differences.
        p: p-value of the two-sided paired t-test; None if all differences are equal.
    """

    first: Group
    second: Group
    seeds: int
    difference: float
    std: float
    p: float | None


def compared(groups: Sequence[Group], field: str) -> list[Pair]:
    """The pairs of groups that share at least two seeds. Seeds that a group has twice are omitted."""
    by_seed = [_once(group, field) for group in groups]
    pairs = []
    for (first, one), (second, other) in combinations(zip(groups, by_seed, strict=True), 2):
        differences = [one[seed] - other[seed] for seed in one if seed in other]
        if len(differences) >= 2:
            average, std = mean(differences), stdev(differences)
            pairs.append(Pair(first, second, len(differences), average, std, p_value(differences)))
    return pairs


def _once(group: Group, field: str) -> dict[object, float]:
    """The values of `field` by seed, for seeds that occur once in the group."""
    seeds = [seed_of(run) for run in group.done]
    return {
        seed: run.record[field]
        for run, seed in zip(group.done, seeds, strict=True)
        if run.record.get(field) is not None and seeds.count(seed) == 1
    }


def p_value(differences: Sequence[float]) -> float | None:
    """The p-value of the two-sided paired t-test (mean of `differences` is 0); None if all are equal."""
    if math.isclose(stdev(differences), 0, abs_tol=1e-12):
        return None
    from scipy.stats import ttest_1samp  # takes a second to import

    return float(ttest_1samp(differences, 0).pvalue)
