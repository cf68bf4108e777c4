"""The 6x8 image of the textbook and the kernel (1, -1)."""

import torch

from cnnlab.lab.edges import conclusion, experiment
from cnnlab.lab.finding import Settings


def test_the_response_is_one_column_of_ones_one_of_minus_ones_and_zeros_elsewhere():
    values = experiment(Settings()).values
    assert values["edges"] == [[0, 1, 0, 0, 0, -1, 0]] * 6
    assert values["turned"] == [[0] * 5] * 8


def test_the_conclusion_depends_on_the_response():
    assert "vertical edges only" in conclusion(torch.zeros(8, 5))
    assert "NOT zero" in conclusion(torch.eye(5))
