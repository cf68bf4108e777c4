"""Pooled values, the cost of pooling, and the change by a shift."""

import pytest
import torch

from cnnlab.lab.pooling import change, pool
from tests.lab.findings import found


def test_each_pooling_reduces_the_small_map_to_known_values():
    small = found("pooling").values["small"]
    assert small["max"] == [[7, 2], [4, 9]]
    assert small["average"] == [[4, 1], [2, 6]]
    assert small["median"] == [[4, 1], [2, 7]]
    assert [value**2 for row in small["L2"] for value in row] == pytest.approx([84, 6, 24, 182])


def test_pooling_has_no_parameters_and_only_average_pooling_multiplies():
    costs = found("pooling").values["costs"]
    assert costs["max"] == {"parameters": 0, "multiplications": 0}
    assert costs["average"] == {"parameters": 0, "multiplications": 14 * 14 * 6}


def test_pooling_reduces_the_effect_of_a_shift_more_with_larger_windows():
    values = found("pooling").values["change"]
    for name in ("max", "average"):
        changes = list(values[name].values())
        assert changes[0] < 0.6 * values["none"]
        assert changes[-1] < 0.6 * changes[0]
    assert values["average"]["16"] < values["max"]["16"]


def test_a_shift_inside_a_window_does_not_change_its_maximum():
    x, shifted = torch.zeros(8, 8), torch.zeros(8, 8)
    x[5, 5], shifted[5, 6] = 1, 1
    assert change(x, shifted) > 1
    assert change(pool(x, "max", 4), pool(shifted, "max", 4)) == 0
