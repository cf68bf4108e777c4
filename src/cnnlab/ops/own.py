"""Run any network on our operators: convolution, pooling, linear, normalization, activation and dropout.

A network may call a layer as a module or as a function, so the library's functions are replaced while the network runs,
and not the modules. Additions, concatenations, reshaping and ReLU6 are the
library's.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnnlab.ops import activation, dense, normalization, pooling
from cnnlab.ops.convolution import conv2d


def _convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    return conv2d(x, weight, bias, stride, padding, dilation, groups, method="im2col")  # supports every layout


def _max_pool(
    x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:  # fmt: skip
    if return_indices:
        raise ValueError("return_indices must be false for our max pooling, got true")
    return pooling.max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode)


def _average_pool(
    x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    mean = pooling.avg_pool2d(x, kernel_size, stride, padding, ceil_mode, count_include_pad)
    if divisor_override is None:
        return mean
    rows, columns = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    return mean * (rows * columns / divisor_override)  # a sum by another divisor


def _global_average_pool(x: Tensor, output_size: Any) -> Tensor:
    if output_size not in (1, (1, 1)):
        raise ValueError(f"output_size must be 1 for our global average pooling, got {output_size}")
    return pooling.global_avg_pool2d(x)


def _relu(x: Tensor, inplace: bool = False) -> Tensor:
    return activation.relu(x)


def _dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    return dense.dropout(x, p, training)


OWN: dict[Callable[..., Any], Callable[..., Tensor]] = {
    F.conv2d: _convolve,
    F.max_pool2d: _max_pool,
    F.avg_pool2d: _average_pool,
    F.adaptive_avg_pool2d: _global_average_pool,
    F.linear: dense.linear,
    F.batch_norm: normalization.batch_norm,
    F.local_response_norm: normalization.local_response_norm,
    F.dropout: _dropout,
    **dict.fromkeys((torch.relu, F.relu, Tensor.relu), _relu),
    **dict.fromkeys((torch.sigmoid, F.sigmoid, Tensor.sigmoid), activation.sigmoid),
    **dict.fromkeys((torch.tanh, F.tanh, Tensor.tanh), activation.tanh),
}


class OwnOperators(TorchFunctionMode):
    """While it is active, calls our operators in place of the library's."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return OWN.get(func, func)(*args, **(kwargs or {}))


def use_own_operators(net: nn.Module) -> None:
    """Make each forward pass of `net` call our operators; its parameters and state dict do not change.

    Our dropout draws other numbers than the library's from the same seed.
    """
    mode = OwnOperators()

    def enter(module: nn.Module, args: Any) -> None:
        mode.__enter__()

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        mode.__exit__(None, None, None)

    net.register_forward_pre_hook(enter, prepend=True)
    net.register_forward_hook(leave, always_call=True)
