"""The kernels: their responses to known images, and to the edges of the photograph."""

import pytest
import torch

from cnnlab.lab.laplacian import BOX, GAUSSIAN, KERNELS, LAPLACIAN, SHARPEN, apply_kernel, conclusions, gradient_of
from cnnlab.lab.photograph import photograph
from tests.lab.findings import found


def plane(down: float, across: float) -> torch.Tensor:
    """An image whose values grow by `down` per row and by `across` per column."""
    i, j = torch.meshgrid(torch.arange(7.0), torch.arange(9.0), indexing="ij")
    return down * i + across * j


def test_a_linear_ramp_has_zero_laplacian_and_constant_gradient():
    assert not apply_kernel(plane(2, 3), LAPLACIAN).any()
    assert torch.equal(gradient_of(plane(3, 4)), torch.full((5, 7), 8 * 5.0))  # Sobel's response to a slope of 1 is 8


def test_a_parabolas_laplacian_is_its_second_derivative():
    assert torch.equal(apply_kernel(plane(0, 1).square(), LAPLACIAN), torch.full((5, 7), 2.0))


@pytest.mark.parametrize("kernel", [BOX, GAUSSIAN, SHARPEN], ids=["box", "Gaussian", "sharpen"])
def test_blurring_and_sharpening_preserve_a_linear_ramp(kernel):
    border = len(kernel) // 2
    torch.testing.assert_close(apply_kernel(plane(2, 3), kernel), plane(2, 3)[border:-border, border:-border])


def test_sharpening_subtracts_the_laplacian_from_the_photograph():
    image = photograph(None)
    expected = image[1:-1, 1:-1] - apply_kernel(image, LAPLACIAN)
    torch.testing.assert_close(apply_kernel(image, SHARPEN), expected)


def test_the_laplacian_of_the_photograph_responds_to_edges():
    values = found("laplacian").values
    assert values["kernels"].keys() == KERNELS.keys()
    rows = values["kernels"]
    assert abs(rows["Laplacian"]["mean"]) < 1e-3
    assert rows["Laplacian"]["below a tenth"] > 0.5
    assert values["steeper"] > 2
    assert (
        rows["box"]["deviation"] < rows["Gaussian"]["deviation"] < photograph(None).std() < rows["sharpen"]["deviation"]
    )


def test_the_conclusions_depend_on_the_responses():
    image = photograph(None)
    responses = {name: apply_kernel(image, kernel) for name, kernel in KERNELS.items()}
    assert not any("NOT" in line for line in conclusions(image, responses))
    other = {"box": 2 * image, "sharpen": 0.5 * image[1:-1, 1:-1]}
    assert " ".join(conclusions(image, responses | other)).count("NOT") == 3
