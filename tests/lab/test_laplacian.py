"""The chosen kernels: what they leave of known pictures, and that they find the photograph's edges."""

import pytest
import torch

from cnnlab.lab.laplacian import BOX, GAUSSIAN, KERNELS, LAPLACIAN, SHARPEN, apply_kernel, gradient_of
from cnnlab.lab.photograph import photograph
from tests.lab.findings import found


def plane(down: float, across: float) -> torch.Tensor:
    """A picture that grows by so much at each step."""
    i, j = torch.meshgrid(torch.arange(7.0), torch.arange(9.0), indexing="ij")
    return down * i + across * j


def test_an_even_slope_has_no_laplacian_and_the_same_gradient_everywhere():
    assert not apply_kernel(plane(2, 3), LAPLACIAN).any()
    assert torch.equal(gradient_of(plane(3, 4)), torch.full((5, 7), 8 * 5.0))  # Sobel's weights add to 8 a pixel


def test_a_parabolas_laplacian_is_its_second_derivative():
    assert torch.equal(apply_kernel(plane(0, 1).square(), LAPLACIAN), torch.full((5, 7), 2.0))


@pytest.mark.parametrize("kernel", [BOX, GAUSSIAN, SHARPEN], ids=["box", "Gaussian", "sharpen"])
def test_blurring_and_sharpening_keep_an_even_slope(kernel):
    border = len(kernel) // 2
    torch.testing.assert_close(apply_kernel(plane(2, 3), kernel), plane(2, 3)[border:-border, border:-border])


def test_sharpening_takes_the_laplacian_away_from_the_photograph():
    picture = photograph(None)
    expected = picture[1:-1, 1:-1] - apply_kernel(picture, LAPLACIAN)
    torch.testing.assert_close(apply_kernel(picture, SHARPEN), expected)


def test_the_photographs_laplacian_are_its_edges():
    values = found("laplacian").values
    assert values["kernels"].keys() == KERNELS.keys()
    rows = values["kernels"]
    assert abs(rows["Laplacian"]["mean"]) < 1e-3
    assert rows["Laplacian"]["below a tenth"] > 0.5
    assert values["steeper"] > 2
    assert (
        rows["box"]["deviation"] < rows["Gaussian"]["deviation"] < photograph(None).std() < rows["sharpen"]["deviation"]
    )
