"""The fraction 1/N + 1/D_K² of the multiplications, in single layers and in MobileNet."""

import pytest

from cnnlab.lab.finding import Settings
from cnnlab.lab.separable import KERNELS, WIDTHS, experiment, formula, mobilenets, traced_fraction
from cnnlab.models.mobilenet import SEPARABLE


@pytest.mark.parametrize("kernel_size", KERNELS)
@pytest.mark.parametrize("out_channels", [WIDTHS[0], 33, WIDTHS[-1]])
def test_the_formula_equals_the_traced_fraction(out_channels, kernel_size):
    assert traced_fraction(out_channels, kernel_size) == pytest.approx(formula(out_channels, kernel_size), rel=1e-12)


def test_mobilenet_costs_are_those_of_the_paper():
    separable, standard = mobilenets()
    assert separable.total("macs") == 568_740_352
    assert standard.total("macs") // 10**6 == 4_867  # table 4 of the paper: 4,866 M and 29.3 M parameters
    assert round(standard.parameters / 1e6, 1) == 29.3
    assert separable.rows[-1].shape == standard.rows[-1].shape


def test_each_of_mobilenets_pairs_follows_the_formula():
    pairs = experiment(Settings()).values["layers"]
    assert [pair["out_channels"] for pair in pairs] == [out_channels for out_channels, _ in SEPARABLE]
    for pair in pairs:
        assert pair["fraction"] == pytest.approx(formula(pair["out_channels"], 3), rel=1e-12)
