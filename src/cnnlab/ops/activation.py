"""The functions between layers, and the ones at a network's end."""

import torch
from torch import Tensor


def relu(x: Tensor) -> Tensor:
    """max(0, x)."""
    return torch.where(x <= 0, 0.0, x)


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e^-x), written for each sign so that no power overflows."""
    power = torch.exp(torch.where(x >= 0, -x, x))  # not abs, whose derivative at 0 is 0
    return torch.where(x >= 0, 1.0, power) / (1 + power)


def tanh(x: Tensor) -> Tensor:
    """(e^x - e^-x) / (e^x + e^-x), shortened by its larger power; near 0 nothing cancels in e^-2x - 1."""
    less = torch.expm1(torch.where(x >= 0, -2 * x, 2 * x))
    return torch.where(x >= 0, -less, less) / (2 + less)


def softmax(x: Tensor, dim: int) -> Tensor:
    """e^x over their sum along `dim`; the largest x is taken off first, which changes nothing but the overflow."""
    powers = torch.exp(x - x.amax(dim, keepdim=True))
    return powers / powers.sum(dim, keepdim=True)


def log_softmax(x: Tensor, dim: int) -> Tensor:
    """The logarithm of `softmax`, which stays finite where a probability is too small to be told from 0."""
    shifted = x - x.amax(dim, keepdim=True)
    return shifted - torch.exp(shifted).sum(dim, keepdim=True).log()
