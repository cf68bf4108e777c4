"""Two groups of runs held against each other, seed by seed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean, stdev

from cnnlab.reporting.groups import Group, seed_of


@dataclass(frozen=True)
class Pair:
    """The first group less the second, on the seeds that both have.

    Args:
        std: the sample's, of the differences.
        p: of the two-sided paired t-test; None where all differences are the same.
    """

    first: Group
    second: Group
    seeds: int
    difference: float
    std: float
    p: float | None


def compared(groups: Sequence[Group], field: str) -> list[Pair]:
    """The pairs of groups that share at least two seeds; a seed that a group has twice is not one to pair by."""
    by_seed = [_once(group, field) for group in groups]
    pairs = []
    for (first, one), (second, other) in combinations(zip(groups, by_seed, strict=True), 2):
        differences = [one[seed] - other[seed] for seed in one if seed in other]
        if len(differences) >= 2:
            middle, spread = mean(differences), stdev(differences)
            pairs.append(Pair(first, second, len(differences), middle, spread, p_value(differences)))
    return pairs


def _once(group: Group, field: str) -> dict[object, float]:
    """The number by seed, of seeds that the group has once."""
    seeds = [seed_of(run) for run in group.done]
    return {
        seed: run.record[field]
        for run, seed in zip(group.done, seeds, strict=True)
        if run.record.get(field) is not None and seeds.count(seed) == 1
    }


def p_value(differences: Sequence[float]) -> float | None:
    """How probable a mean at least as far from 0 is, were the differences normal around 0: Student's t-test.

    None where they do not differ, for they then say nothing of their spread.
    """
    n, spread = len(differences), stdev(differences)
    if math.isclose(spread, 0, abs_tol=1e-12):
        return None
    from scipy.special import stdtr  # half a second, and only where there is something to compare

    return float(2 * stdtr(n - 1, -abs(mean(differences)) * math.sqrt(n) / spread))
