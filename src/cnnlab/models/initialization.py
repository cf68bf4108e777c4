"""Initial weights that preserve the variance of activations and gradients from layer to layer."""

import math
from collections.abc import Iterator

import torch
from torch import nn


def _weighted(net: nn.Module) -> Iterator[nn.Conv2d | nn.Linear]:
    """Yield the convolutions and fully connected layers, after setting their biases to zero."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            yield module


def initialize_convolutions(net: nn.Module) -> None:
    """Initialize convolutions with batch norm: He et al., "Delving deep into rectifiers", 2015, eq. 14 (backward)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.weight[:, 0].numel() / module.groups  # nn.init.kaiming_normal_ ignores groups
            nn.init.normal_(module.weight, std=math.sqrt(2.0) / math.sqrt(fan_out))


def initialize_without_norm(net: nn.Module, last: nn.Linear | None = None) -> None:
    """Initialize ReLU layers without batch norm: He et al., 2015, eq. 10 (forward), with zero biases.

    Without batch norm, the standard deviation 0.01 of the papers of 2012 and 2014 shrinks the signal layer by layer
    until the logits of all images are alike. The weights of `last` are a tenth of He's, because no average pooling
    reduces the variance of its logits; the initial predictions are then close to uniform.
    """
    for layer in _weighted(net):
        nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
    if last is not None:
        with torch.no_grad():
            last.weight.mul_(0.1)


def initialize_squashed(net: nn.Module) -> None:
    """Initialize layers before A tanh(S x): variance 1/fan_in, LeCun et al., "Efficient backprop", 1998, eq. 16."""
    for layer in _weighted(net):
        nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="linear")


def initialize_sigmoid(net: nn.Module, last: nn.Linear) -> None:
    """Initialize layers before a sigmoid with 4 times the range of Glorot and Bengio, 2010, and `last` with 1 time.

    The factor makes up for the sigmoid's slope, which is a quarter of that of tanh.
    """
    for layer in _weighted(net):
        nn.init.xavier_uniform_(layer.weight, gain=1.0 if layer is last else 4.0)
