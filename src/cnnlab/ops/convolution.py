"""Convolution in one and two dimensions, with PyTorch's signatures and a choice of methods.

The convolution of neural networks is the cross-correlation: the kernel slides over the input without being flipped. The
true convolution flips the kernel first (a rotation by 180 degrees), which makes it commutative. For a network that
learns its kernels, the difference does not matter.
"""

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from cnnlab.errors import one_of
from cnnlab.ops.gradients import Adjoint, CrossCorrelation, compute_precision
from cnnlab.ops.layout import Layout, flip_kernel, height_width, pad
from cnnlab.ops.methods import METHODS, auto
from cnnlab.ops.size import Pair, pair, sides


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Pair = 1,
    padding: int | Pair | str = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    method: str = "im2col",
) -> Tensor:
    """Cross-correlate each image with each kernel: (N, C, H, W) to (N, O, H', W'), with or without N.

    Args:
        weight: (O, C/groups, U, V).
        bias: (O,).
        padding: `valid` (no padding), `same` (preserves the size), `full` (every overlap), or the zeros on each side.
        groups: number of equal groups of channels; each output channel uses only the input channels of its group.
            With one group per channel, the convolution is depthwise.
        method: one of METHODS, or `auto` for the fastest choice for each pass, PyTorch included.

    Raises:
        ValueError: the shapes do not match, or the method does not support the arguments.
    """
    if has_torch_function((x, weight)):  # for modes that intercept PyTorch's functions
        return handle_torch_function(
            conv2d, (x, weight), x, weight, bias, stride, padding, dilation, groups, method=method
        )
    batch = _with_batch(x, 4)
    _check_weight(weight, 4)
    layout = make_layout(height_width(weight), stride, padding, dilation, groups)
    _check_shapes(batch, weight, bias, groups)
    layout.out_sizes(height_width(batch), height_width(weight))  # raises if the kernel does not fit
    if method != "auto":
        _check_method(method, weight, layout)
    is_symbolic = torch.jit.is_tracing() or batch.is_meta  # only the operator matters, not how it is computed
    if not is_symbolic:
        batch, weight, bias = _autocast(batch, weight, bias)
    if is_symbolic or (method == "auto" and not auto.differs(compute_precision(batch), weight, layout)):
        y = _torch_conv2d(batch, weight, bias, layout)
    else:
        y = CrossCorrelation.apply(batch, weight, bias, layout, method)
    return y if x.ndim == batch.ndim else y[0]


def conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int = 1,
    padding: int | str = 0,
    dilation: int = 1,
    groups: int = 1,
    method: str = "im2col",
) -> Tensor:
    """Like `conv2d` on images of one row: (N, C, L) and (O, C/groups, V) to (N, O, L')."""
    horizontal = padding if isinstance(padding, str) else (0, padding)
    batch = _with_batch(x, 3)
    _check_weight(weight, 3)
    y = conv2d(
        batch.unsqueeze(2), weight.unsqueeze(2), bias, (1, stride), horizontal, (1, dilation), groups, method
    ).squeeze(2)  # fmt: skip
    return y if x.ndim == batch.ndim else y[0]


def true_conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Pair = 1,
    padding: int | Pair | str = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    method: str = "im2col",
) -> Tensor:
    """True convolution, with a flipped kernel; arguments and shapes as in `conv2d`."""
    return conv2d(x, flip_kernel(weight), bias, stride, padding, dilation, groups, method)


def true_conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int = 1,
    padding: int | str = 0,
    dilation: int = 1,
    groups: int = 1,
    method: str = "im2col",
) -> Tensor:
    """True convolution along one axis; arguments and shapes as in `conv1d`."""
    return conv1d(x, weight.flip(-1), bias, stride, padding, dilation, groups, method)


def conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    output_padding: int | Pair = 0,
    groups: int = 1,
    dilation: int | Pair = 1,
    method: str = "im2col",
) -> Tensor:
    """The adjoint of `conv2d` with the same weight: (N, O, H', W') to (N, C, H, W), with or without N.

    Args:
        weight: (O, C/groups, U, V), where O are the channels of `x` and C those of the result.
        output_padding: rows and columns at the end that `conv2d` would not cover because of its stride.

    Raises:
        ValueError: the shapes do not match, or the method does not support the arguments.
    """
    batch = _with_batch(x, 4)
    _check_weight(weight, 4)
    layout = make_layout(height_width(weight), stride, padding, dilation, groups)
    _check_bias(bias, weight.shape[1] * groups)
    if batch.shape[1] != len(weight):
        raise ValueError(f"x must have {len(weight)} channels for this weight, got {batch.shape[1]}")
    _check_groups(len(weight), groups)
    _check_method(method, weight, layout)
    layout = _with_output_padding(layout, pair(output_padding))
    sizes = layout.in_sizes(height_width(batch), height_width(weight))
    batch, weight, bias = _autocast(batch, weight, bias)
    y = Adjoint.apply(batch, weight, sizes, layout, method)
    y = y if bias is None else y + bias[:, None, None]
    return y if x.ndim == batch.ndim else y[0]


def _with_output_padding(layout: Layout, output_padding: Pair) -> Layout:
    """Reduce the padding at the end by `output_padding`, so that the windows cover the larger result.

    Raises:
        ValueError: no convolution with this layout would leave so many pixels uncovered.
    """
    for more, stride, dilation in zip(output_padding, layout.stride, layout.dilation, strict=True):
        if not 0 <= more < max(stride, dilation):
            raise ValueError(f"output_padding must be below stride or dilation, got {more} at stride {stride}")
    (above, below), (left, right) = layout.padding
    return replace(layout, padding=((above, below - output_padding[0]), (left, right - output_padding[1])))


def make_layout(
    kernel_size: Pair, stride: int | Pair, padding: int | Pair | str, dilation: int | Pair, groups: int
) -> Layout:
    """The layout for PyTorch's arguments.

    Raises:
        ValueError: an argument is invalid.
    """
    for name, value in (("stride", stride), ("dilation", dilation), ("groups", groups)):
        if min(pair(value)) < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    strides, dilations = pair(stride), pair(dilation)
    return Layout(strides, sides(padding, kernel_size, strides, dilations), dilations, groups)


def _with_batch(x: Tensor, dimensions: int) -> Tensor:
    if x.ndim not in (dimensions - 1, dimensions):
        raise ValueError(f"x must have {dimensions - 1} or {dimensions} dimensions, got {x.ndim}")
    return x if x.ndim == dimensions else x.unsqueeze(0)


def _check_groups(out_channels: int, groups: int) -> None:
    if out_channels % groups:
        raise ValueError(f"groups must divide the {out_channels} output channels, got {groups}")


def _check_weight(weight: Tensor, dimensions: int) -> None:
    if weight.ndim != dimensions:
        raise ValueError(f"weight must have {dimensions} dimensions, got {weight.ndim}")


def _check_bias(bias: Tensor | None, out_channels: int) -> None:
    if bias is not None and bias.shape != (out_channels,):
        raise ValueError(f"bias must have shape ({out_channels},), got {tuple(bias.shape)}")


def _check_shapes(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> None:
    if x.shape[1] != weight.shape[1] * groups:
        raise ValueError(
            f"x must have {weight.shape[1] * groups} channels for this weight and groups={groups}, got {x.shape[1]}"
        )
    _check_groups(len(weight), groups)
    _check_bias(bias, len(weight))


def _check_method(method: str, weight: Tensor, layout: Layout) -> None:
    one_of("method", method, METHODS, ValueError)
    if not METHODS[method].supports(height_width(weight), layout):
        raise ValueError(
            f"method must support {weight.shape[2]}x{weight.shape[3]} kernels with stride {layout.stride} and dilation "
            f"{layout.dilation}, got {method!r}"
        )


def _torch_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None, layout: Layout) -> Tensor:
    """PyTorch's convolution, which supports only equal padding on opposite sides."""
    if all(before == after for before, after in layout.padding):
        padding = [before for before, _ in layout.padding]
    else:
        x, padding = pad(x, layout.padding), [0, 0]
    return F.conv2d(x, weight, bias, layout.stride, padding, layout.dilation, layout.groups)


def _autocast(*tensors: Tensor | None) -> tuple[Any, ...]:
    """Convert the tensors as autocast does for PyTorch's convolution."""
    device = next(tensor for tensor in tensors if tensor is not None).device.type
    if not torch.is_autocast_enabled(device):
        return tensors
    dtype = torch.get_autocast_dtype(device)
    return tuple(t if t is None or t.dtype == torch.float64 else t.to(dtype) for t in tensors)
