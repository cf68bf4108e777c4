"""The kernel (1, -1) and the Laplacian, learned."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnlab.lab.edges import textbook_image
from cnnlab.lab.laplacian import LAPLACIAN
from cnnlab.lab.learn_kernel import descend
from tests.lab.findings import found


def test_the_sum_of_squares_converges_and_the_mean_does_not():
    stages = found("learn_kernel").values["stages"]
    after_20, after_40 = stages["sum"]["20"], stages["sum"]["40"]
    assert after_20["within 0.15"] == 1
    assert after_20["median"] == pytest.approx(0.08, abs=0.005)
    assert after_40["within 0.02"] == 1
    for stage in stages["mean"].values():
        assert stage["within 0.15"] == 0
        assert stage["median"] > 0.9


def test_each_of_the_parallel_starts_learns_like_a_pytorch_layer():
    kernels, biases = descend(first_seed=5, mean=False)
    torch.manual_seed(7)
    layer = nn.Conv2d(1, 1, kernel_size=(1, 2))
    x = textbook_image()
    y = x[..., :-1] - x[..., 1:]
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    for step in range(21):
        torch.testing.assert_close(kernels[step, 2], layer.weight.detach().flatten())
        torch.testing.assert_close(biases[step, 2], layer.bias.detach()[0])
        optimizer.zero_grad()
        (layer(x) - y).square().sum().backward()
        optimizer.step()


def test_the_printed_kernel_is_close_to_the_target():
    one = found("learn_kernel").values["one kernel"]
    assert np.abs(np.array(one["kernel"]) - [1, -1]).max() < 0.15
    assert abs(one["bias"]) < 0.15


def test_learning_does_not_change_the_global_generator():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    descend(0, mean=True)
    assert torch.equal(torch.rand(2), expected)


def test_l_bfgs_learns_the_laplacian_and_gradient_descent_does_not_yet():
    learned = found("learn_kernel").values["laplacian"]
    kernel = torch.tensor(learned["L-BFGS"]["kernel"])
    assert (kernel - LAPLACIAN).abs().max() < 0.01
    assert learned["L-BFGS"]["worst error"] < 0.01
    assert 0.1 < learned["gradient descent"]["worst error"] < 4
