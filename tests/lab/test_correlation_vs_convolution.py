"""Cross-correlation and convolution: equal after a turn, and only one commutes."""

import numpy as np

from tests.lab.findings import found


def test_equal_after_turning_the_kernel_and_only_convolution_commutes():
    assert found("correlation_vs_convolution").values["answers"] == {
        "cross-correlation with the turned kernel = convolution": [True, True],
        "convolution commutes": [True, True],
        "cross-correlation commutes": [False, False],
        "exchanged, the cross-correlation is turned": [True, True],
    }


def test_the_convolution_of_coefficients_is_the_polynomials_product():
    product = found("correlation_vs_convolution").values["product"]
    assert product == [4, 13, 22, 15]
    for x in (-2, 3, 10):
        assert np.polyval(product[::-1], x) == (1 + 2 * x + 3 * x**2) * (4 + 5 * x)


def test_a_single_pixel_is_answered_with_the_kernel_or_with_the_turned_one():
    values = found("correlation_vs_convolution").values
    kernel = np.array([[1, 2, 3], [4, 0, 0], [5, 0, 0]])
    assert (np.array(values["convolution"])[1:4, 1:4] == kernel + np.pad([[2]], ((2, 0), (2, 0)))).all()
    assert (np.array(values["correlation"])[1:4, 1:4] == kernel[::-1, ::-1]).all()
