"""The sums over samples approach the integral of the convolution."""

import pytest
import torch

from cnnlab.lab import integral
from tests.lab.findings import found


def test_the_formula_is_the_integral():
    t = torch.linspace(-0.5, 0.5, 100_001, dtype=torch.float64)
    for x in (-0.3, 0.2, 1.1):
        expected = torch.trapezoid(integral.decay(x - t), t)
        assert float(integral.exact(torch.tensor(x, dtype=torch.float64))) == pytest.approx(float(expected), abs=2e-5)


def test_the_error_falls_with_the_distance_of_the_samples():
    errors = list(found("integral").values["errors"].values())
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 100
