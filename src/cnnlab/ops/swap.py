"""Choose the method of a network's convolutions; parameters and state dict do not change."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import one_of
from cnnlab.ops import modules
from cnnlab.ops.convolution import conv2d, make_layout
from cnnlab.ops.methods import METHODS, auto
from cnnlab.ops.size import Pair

CHOICES = ("auto", "torch", *METHODS)
CONVOLUTIONS = (nn.Conv2d, modules.Conv2d)
FALLBACK = "im2col"  # supports every layout


@runtime_checkable
class ComputesKernels(Protocol):
    """A layer that computes its own kernels and convolves with the function in `correlate`."""

    kernel_size: Pair
    correlate: Callable[..., Tensor]


def swap_convolutions(net: nn.Module, method: str) -> Counter[str]:
    """Compute each convolution of `net` by `method`, in place; layers that it does not support use im2col.

    Args:
        method: one of CHOICES. `torch` restores PyTorch's convolution. With `auto`, a layer for which the rule never
            selects another method also uses PyTorch's.

    Returns:
        Number of layers by method.

    Raises:
        ValueError: the method is unknown.
    """
    one_of("method", method, CHOICES, ValueError)
    counts: Counter[str] = Counter()
    layer: Any
    for layer in net.modules():
        is_module = type(layer) in CONVOLUTIONS
        if not is_module and not isinstance(layer, ComputesKernels):
            continue
        chosen = _supported(layer, method)
        counts[chosen] += 1
        if is_module:
            _change_class(layer, nn.Conv2d if chosen == "torch" else modules.Conv2d)
            layer.method = chosen
        else:
            layer.correlate = F.conv2d if chosen == "torch" else partial(conv2d, method=chosen)
    return counts


def _supported(layer: Any, method: str) -> str:
    if method == "torch":
        return method
    stride, dilation = getattr(layer, "stride", 1), getattr(layer, "dilation", 1)
    layout = make_layout(layer.kernel_size, stride, 0, dilation, getattr(layer, "groups", 1))
    if method == "auto":
        return method if type(layer) in CONVOLUTIONS and auto.may_differ(layer.weight, layout) else "torch"
    return method if METHODS[method].supports(layer.kernel_size, layout) else FALLBACK


def _change_class(module: nn.Module, new: type[nn.Module]) -> None:
    """Change the class of a module; it keeps its parameters, hooks and place in its network."""
    module.__class__ = new
