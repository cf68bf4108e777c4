"""First weights that keep the size of activations and gradients from layer to layer, so that deep networks start."""

import math
from collections.abc import Iterator

import torch
from torch import nn


def _weighted(net: nn.Module) -> Iterator[nn.Conv2d | nn.Linear]:
    """The convolutions and fully connected layers, with their biases set to zero."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            yield module


def initialize_convolutions(net: nn.Module) -> None:
    """For convolutions with batch norm: He et al., "Delving deep into rectifiers", 2015, backward form (eq. 14)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.weight[:, 0].numel() / module.groups  # PyTorch's own leaves out the groups
            nn.init.normal_(module.weight, std=math.sqrt(2.0) / math.sqrt(fan_out))


def initialize_without_norm(net: nn.Module, last: nn.Linear | None = None) -> None:
    """For rectified layers without batch norm: He et al., 2015, in its forward form (eq. 10); biases are zero.

    Nothing rescales what such a layer gives, so a deviation of 0.01, which the papers of 2012 and 2014 used, shrinks
    the image layer by layer until all images look alike. The weights of `last`, which gives scores that no pooling has
    averaged, are a tenth of He's, so that no class is favored at first.
    """
    for layer in _weighted(net):
        nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
    if last is not None:
        with torch.no_grad():
            last.weight.mul_(0.1)


def initialize_squashed(net: nn.Module) -> None:
    """For layers that A tanh(S x) follows: variance 1/inputs, LeCun et al., "Efficient backprop", 1998, eq. 16."""
    for layer in _weighted(net):
        nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="linear")


def initialize_sigmoid(net: nn.Module, last: nn.Linear) -> None:
    """Four times the deviation of Glorot and Bengio, 2010, as a sigmoid is flatter than tanh; not for `last`."""
    for layer in _weighted(net):
        nn.init.xavier_uniform_(layer.weight, gain=1.0 if layer is last else 4.0)
