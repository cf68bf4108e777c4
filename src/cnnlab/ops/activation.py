"""Activation functions and softmax."""

import torch
from torch import Tensor


def relu(x: Tensor) -> Tensor:
    """max(0, x)."""
    return torch.where(x <= 0, 0.0, x)


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e^-x), with a form for each sign that does not overflow."""
    power = torch.exp(torch.where(x >= 0, -x, x))  # not -|x|: the derivative of abs at 0 is 0
    return torch.where(x >= 0, 1.0, power) / (1 + power)


def tanh(x: Tensor) -> Tensor:
    """(e^x - e^-x) / (e^x + e^-x), divided by the larger power to avoid overflow and cancellation near 0."""
    less = torch.expm1(torch.where(x >= 0, -2 * x, 2 * x))
    return torch.where(x >= 0, -less, less) / (2 + less)


def softmax(x: Tensor, dim: int) -> Tensor:
    """e^x / sum(e^x) along `dim`; subtracting the maximum first prevents overflow."""
    powers = torch.exp(x - x.amax(dim, keepdim=True))
    return powers / powers.sum(dim, keepdim=True)


def log_softmax(x: Tensor, dim: int) -> Tensor:
    """The logarithm of `softmax`, finite even if a probability underflows to 0."""
    shifted = x - x.amax(dim, keepdim=True)
    return shifted - torch.exp(shifted).sum(dim, keepdim=True).log()
