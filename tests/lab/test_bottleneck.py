"""The multiplications of a 5x5 convolution without a bottleneck (120.4 M) and with one (2.4 M + 10.0 M)."""

from cnnlab.lab.bottleneck import experiment
from cnnlab.lab.finding import Settings


def test_a_bottleneck_takes_a_tenth_of_the_multiplications():
    direct, narrow = experiment(Settings()).values.values()
    assert direct["multiplications"] == 28 * 28 * 192 * 32 * 5 * 5
    assert [multiplications for _, multiplications, _ in narrow["steps"]] == [
        28 * 28 * 192 * 16,
        28 * 28 * 16 * 32 * 25,
    ]
    assert [round(variant["multiplications"] / 1e6, 1) for variant in (direct, narrow)] == [120.4, 12.4]
    assert [round(multiplications / 1e6, 1) for _, multiplications, _ in narrow["steps"]] == [2.4, 10.0]


def test_the_text_contains_all_four_costs():
    finding = experiment(Settings())
    assert all(count in finding.text for count in ("120,422,400", "2,408,448", "10,035,200", "12,443,648"))
    assert all(count in finding.title for count in ("120.4 M", "12.4 M"))
