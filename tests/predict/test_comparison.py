"""Two networks on the same images: McNemar's exact test and the bootstrap of the difference."""

import pytest
import torch

from cnnlab.predict.comparison import bootstrap, compare, mcnemar


def test_the_numbers_of_a_worked_example():
    labels = torch.zeros(10, dtype=torch.long)
    first = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 2])
    second = torch.tensor([0, 0, 0, 1, 1, 2, 0, 1, 2, 2])
    found = compare(first, second, labels)
    assert (found.both, found.only_first, found.only_second, found.neither) == (3, 3, 1, 3)
    assert found.agreement == pytest.approx(0.5)
    assert found.difference == pytest.approx(0.2)
    assert found.p == pytest.approx(2 * (1 + 4) / 2**4)  # 3 or more of 4 fair coins, on either side


@pytest.mark.parametrize(("counts", "p"), [((0, 0), 1.0), ((5, 5), 1.0), ((10, 0), 2 / 2**10), ((0, 10), 2 / 2**10)])
def test_mcnemar_counts_coins(counts, p):
    assert mcnemar(*counts) == pytest.approx(p)


def test_the_interval_is_that_of_resampled_images():
    only_first, only_second, total = 30, 10, 200
    differences = torch.tensor([1.0] * only_first + [-1.0] * only_second + [0.0] * (total - only_first - only_second))
    drawn = torch.randint(total, (10_000, total), generator=torch.Generator().manual_seed(1))
    expected = differences[drawn].mean(1).quantile(torch.tensor([0.025, 0.975]))
    assert bootstrap(only_first, only_second, total, seed=0) == pytest.approx(expected.tolist(), abs=0.006)


def test_the_interval_depends_on_the_seed_alone():
    drawn = [bootstrap(300, 200, 10_000, seed, resamples=50) for seed in (3, 3, 4)]
    assert drawn[0] == drawn[1] != drawn[2]
