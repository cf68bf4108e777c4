"""Cross-correlation and convolution: equal after rotating the kernel, and only convolution is commutative."""

import numpy as np
import torch

from cnnlab import ops
from cnnlab.lab.correlation_vs_convolution import IMAGE, KERNEL, convolve, correlate, written_by
from tests.lab.findings import found

NAME = "correlation_vs_convolution"


def test_rotating_the_kernel_makes_them_equal_and_only_convolution_is_commutative():
    assert found(NAME).values["answers"] == {
        "cross-correlation with the rotated kernel = convolution": [True, True],
        "convolution is commutative": [True, True],
        "cross-correlation is commutative": [False, False],
        "swapping operands rotates the cross-correlation": [True, True],
    }


def test_convolving_coefficients_multiplies_polynomials():
    product = found(NAME).values["product"]
    assert product == [4, 13, 22, 15]
    for x in (-2, 3, 10):
        assert np.polyval(product[::-1], x) == (1 + 2 * x + 3 * x**2) * (4 + 5 * x)


def test_the_response_to_a_single_pixel_is_the_kernel_or_the_rotated_kernel():
    values = found(NAME).values
    kernel = np.array([[1, 2, 3], [4, 0, 0], [5, 0, 0]])
    assert (np.array(values["convolution"])[1:4, 1:4] == kernel + np.pad([[2]], ((2, 0), (2, 0)))).all()
    assert (np.array(values["correlation"])[1:4, 1:4] == kernel[::-1, ::-1]).all()


def test_each_figure_title_names_the_operation_that_the_panel_shows():
    panels = {axes.get_title(): torch.tensor(axes.images[0].get_array()) for axes in found(NAME).figure.axes}
    image, kernel = IMAGE[None], KERNEL[None]
    for title, expected in {
        "kernel rotated by 180°": KERNEL.rot90(2),
        "cross-correlation of image with kernel": ops.conv2d(image, kernel[None], padding="full")[0],
        "cross-correlation of kernel with image (differs)": ops.conv2d(kernel, image[None], padding="full")[0],
        "convolution of image with kernel": ops.conv2d(image, kernel[None].rot90(2, (2, 3)), padding="full")[0],
        "convolution of kernel with image (equal)": ops.conv2d(image, kernel[None].rot90(2, (2, 3)), padding="full")[0],
    }.items():
        assert torch.equal(panels[title], expected)


def test_what_an_operation_makes_of_a_pixel_is_computed():
    assert written_by(convolve) == "kernel"
    assert written_by(correlate) == "kernel rotated by 180°"
    assert written_by(lambda pixel, kernel: kernel.mT) == "NEITHER form of the kernel"
