"""Receptive fields and effective receptive fields."""

import pytest

from cnnlab.lab.receptive_field import count_paths, effective
from tests.lab.findings import found


def test_two_stacked_3x3_convolutions_see_5x5_pixels():
    side = [1, 2, 3, 2, 1]
    assert found("receptive_field").values["ways"] == [[a * b for b in side] for a in side]


def test_the_field_grows_linearly_and_the_effective_field_with_the_square_root():
    stacked = found("receptive_field").values["stacked"]
    assert {int(depth): row["field"] for depth, row in stacked.items()} == {
        depth: 2 * depth + 1 for depth in (1, 2, 4, 8, 16, 32, 64)
    }
    assert stacked["64"]["effective"] / stacked["16"]["effective"] == pytest.approx(2, rel=0.03)
    # n sums of three pixels have variance 2n/3. The effective side is that of a square with the area of the circle
    # on which exp(-r^2 / (2 * variance)) is 4.55 %: r^2 = 2 * variance * 3.090.
    variance = 2 * 64 / 3
    expected = (3.14159 * 2 * variance * 3.090) ** 0.5
    assert stacked["64"]["effective"] == pytest.approx(expected, rel=0.03)


def test_shallow_fields_are_completely_effective():
    assert effective(count_paths(1)) == 3
    assert effective(count_paths(2)) == 5


def test_the_effective_field_of_networks_is_a_fraction_of_the_field():
    networks = found("receptive_field").values["networks"]
    fields = {name: row["field"] for name, row in networks.items()}
    assert fields == {"VGG-11 to conv4": 62, "VGG-11 to conv5": 134, "plain-20": 81, "ResNet-20": 81}
    fractions = {name: row["effective"] / row["field"] for name, row in networks.items()}
    assert all(0.2 < fraction < 1 for fraction in fractions.values())
    assert fractions["ResNet-20"] < fractions["plain-20"] < fractions["VGG-11 to conv5"] < fractions["VGG-11 to conv4"]


def test_arithmetic_and_gradient_are_compared():
    finding = found("receptive_field")
    assert all(net["agrees"] for net in finding.values["networks"].values())
    assert "weights give the same receptive fields" in finding.text
