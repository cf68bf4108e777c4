"""The operators of any network exchanged for the project's own, its parameters and state dict unchanged."""

from collections import Counter
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import nn

from cnnlab.errors import one_of
from cnnlab.ops import modules
from cnnlab.ops.convolution import conv2d, make_layout
from cnnlab.ops.methods import METHODS, auto

CHOICES = ("auto", "torch", *METHODS)
CONVOLUTIONS = (nn.Conv2d, modules.Conv2d)
FALLBACK = "im2col"  # supports everything


def swap_convolutions(net: nn.Module, method: str) -> Counter[str]:
    """Let each convolution of `net` compute by `method`, in place; where that does not support it, by im2col.

    With `auto` a layer stays PyTorch's of which no pass would be computed by a method of ours. A layer that makes its
    kernels, and so is no nn.Conv2d, has the operator in its attribute `correlate`.

    Returns:
        How many layers compute by which method; `torch` puts PyTorch's own back.

    Raises:
        UserError: there is no such method.
    """
    one_of("conv", method, CHOICES)
    counts: Counter[str] = Counter()
    layer: Any
    for layer in net.modules():
        is_module = type(layer) in CONVOLUTIONS
        if not is_module and not hasattr(layer, "correlate"):
            continue
        chosen = _supported(layer, method)
        counts[chosen] += 1
        if is_module:
            _become(layer, nn.Conv2d if chosen == "torch" else modules.Conv2d)
            layer.method = chosen
        else:
            layer.correlate = F.conv2d if chosen == "torch" else partial(conv2d, method=chosen)
    return counts


def swap_poolings(net: nn.Module) -> int:
    """Let each max and average pooling of `net` compute by ours, in place; the number of them."""
    count = 0
    for module in net.modules():
        own = {nn.MaxPool2d: modules.MaxPool2d, nn.AvgPool2d: modules.AvgPool2d}.get(type(module))
        if own is not None:
            _become(module, own)
            count += 1
    return count


def _supported(layer: Any, method: str) -> str:
    if method == "torch":
        return method
    stride, dilation = getattr(layer, "stride", 1), getattr(layer, "dilation", 1)
    layout = make_layout(layer.kernel_size, stride, 0, dilation, getattr(layer, "groups", 1))
    if method == "auto":
        return method if type(layer) in CONVOLUTIONS and auto.may_differ(layer.weight, layout) else "torch"
    return method if METHODS[method].supports(layer.kernel_size, layout) else FALLBACK


def _become(module: nn.Module, kind: type[nn.Module]) -> None:
    """A module of another class with the same parameters, hooks and place in its network."""
    module.__class__ = kind
