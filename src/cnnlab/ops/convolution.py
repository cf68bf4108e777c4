"""Convolution in one and two dimensions, with PyTorch's signatures, by a method of choice.

What networks call convolution is the cross-correlation: the kernel slides over the input as it is. The true convolution
turns the kernel by 180 degrees first, which makes it commute; a network that learns its kernels need not care.
"""

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from cnnlab.ops.gradients import Adjoint, CrossCorrelation, multiplied
from cnnlab.ops.layout import Layout, pad, turn
from cnnlab.ops.methods import METHODS, auto
from cnnlab.ops.size import Pair, extent, pair, sides


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
    """Cross-correlate each image with each kernel: (N, C, H, W) to (N, O, H', W'), or both without N.

    Args:
        weight: (O, C/groups, U, V).
        bias: (O,), added to every pixel of a channel.
        padding: `valid` (none), `same` (keeps the size), `full` (every overlap), or the zeros added to each side.
        groups: output channels in so many equal parts, each of which sees its part of the input channels only;
            as many as channels make the convolution depthwise.
        method: one of METHODS; or `auto`, which takes for each pass what is fastest, PyTorch's own included.

    Raises:
        ValueError: shapes that do not go together, or what the method does not support.
    """
    if has_torch_function((x, weight)):  # whoever watches PyTorch's functions sees this one too
        return handle_torch_function(
            conv2d, (x, weight), x, weight, bias, stride, padding, dilation, groups, method=method
        )
    batch = _with_batch(x, 4)
    _check_weight(weight)
    layout = make_layout((weight.shape[2], weight.shape[3]), stride, padding, dilation, groups)
    _check_shapes(batch, weight, bias, groups)
    layout.out_sizes((batch.shape[2], batch.shape[3]), (weight.shape[2], weight.shape[3]))
    if method != "auto":
        _check_method(method, weight, layout)
    is_wanted_whole = torch.jit.is_tracing() or batch.is_meta  # a graph and a shape know no steps of a method
    if not is_wanted_whole:
        batch, weight, bias = _autocast(batch, weight, bias)
    if is_wanted_whole or (method == "auto" and not auto.differs(multiplied(batch), weight, layout)):
        y = _library(batch, weight, bias, layout)
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
    """The same along one axis: (N, C, L) and (O, C/groups, V) to (N, O, L'), as on an image of one row."""
    horizontal = padding if isinstance(padding, str) else (0, padding)
    batch = _with_batch(x, 3)
    if weight.ndim != 3:
        raise ValueError(f"weight must have 3 dimensions, got {weight.ndim}")
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
    """The convolution of mathematics, which turns the kernel; arguments and shapes as for `conv2d`."""
    return conv2d(x, turn(weight), bias, stride, padding, dilation, groups, method)


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
    """The convolution of mathematics along one axis; arguments and shapes as for `conv1d`."""
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
    """The adjoint of `conv2d` with the same weight: (N, O, H', W') back to (N, C, H, W), or both without N.

    Args:
        weight: (O, C/groups, U, V): O of its input, C of its result.
        output_padding: rows and columns that the forward convolution would have left over, at the end.

    Raises:
        ValueError: shapes that do not go together, or what the method does not support.
    """
    batch = _with_batch(x, 4)
    _check_weight(weight)
    kernel_size = (weight.shape[2], weight.shape[3])
    layout = make_layout(kernel_size, stride, padding, dilation, groups)
    _check_bias(bias, weight.shape[1] * groups)
    if batch.shape[1] != len(weight):
        raise ValueError(f"the input has {batch.shape[1]} channels, the weight is for {len(weight)}")
    _check_groups(len(weight), groups)
    _check_method(method, weight, layout)
    layout = _without_rest(layout, pair(output_padding))
    height, width = (
        (batch.shape[2 + axis] - 1) * layout.stride[axis]
        + extent(kernel_size[axis], layout.dilation[axis])
        - sum(layout.padding[axis])
        for axis in (0, 1)
    )
    batch, weight, bias = _autocast(batch, weight, bias)
    y = Adjoint.apply(batch, weight, (height, width), layout, method)
    y = y if bias is None else y + bias[:, None, None]
    return y if x.ndim == batch.ndim else y[0]


def _without_rest(layout: Layout, rest: Pair) -> Layout:
    """The layout that has as much less padding at the end as a forward convolution leaves over, and so leaves nothing.

    Raises:
        ValueError: no convolution of this layout leaves so much over.
    """
    for more, stride, dilation in zip(rest, layout.stride, layout.dilation, strict=True):
        if not 0 <= more < max(stride, dilation):
            raise ValueError(f"output_padding must be below stride or dilation, got {more} at stride {stride}")
    vertical, horizontal = ((before, after - more) for (before, after), more in zip(layout.padding, rest, strict=True))
    return replace(layout, padding=(vertical, horizontal))


def make_layout(
    kernel_size: Pair, stride: int | Pair, padding: int | Pair | str, dilation: int | Pair, groups: int
) -> Layout:
    """The layout that PyTorch's arguments describe.

    Raises:
        ValueError: a value that has no meaning.
    """
    for name, value in (("stride", stride), ("dilation", dilation), ("groups", groups)):
        if min(pair(value)) < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    steps, gaps = pair(stride), pair(dilation)
    return Layout(steps, sides(padding, kernel_size, steps, gaps), gaps, groups)


def _with_batch(x: Tensor, dimensions: int) -> Tensor:
    if x.ndim not in (dimensions - 1, dimensions):
        raise ValueError(f"the input must have {dimensions - 1} or {dimensions} dimensions, got {x.ndim}")
    return x if x.ndim == dimensions else x.unsqueeze(0)


def _check_groups(out_channels: int, groups: int) -> None:
    if out_channels % groups:
        raise ValueError(f"groups must divide the {out_channels} output channels, got {groups}")


def _check_weight(weight: Tensor) -> None:
    if weight.ndim != 4:
        raise ValueError(f"weight must have 4 dimensions, got {weight.ndim}")


def _check_bias(bias: Tensor | None, out_channels: int) -> None:
    if bias is not None and bias.shape != (out_channels,):
        raise ValueError(f"bias must have {out_channels} numbers, one a channel, got {tuple(bias.shape)}")


def _check_shapes(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> None:
    if x.shape[1] != weight.shape[1] * groups:
        raise ValueError(
            f"the input has {x.shape[1]} channels, the kernels are for {weight.shape[1]} in each of {groups} groups"
        )
    _check_groups(len(weight), groups)
    _check_bias(bias, len(weight))


def _check_method(method: str, weight: Tensor, layout: Layout) -> None:
    if method not in METHODS:
        raise ValueError(f"method must be one of {list(METHODS)}, got {method!r}")
    if not METHODS[method].supports((weight.shape[2], weight.shape[3]), layout):
        raise ValueError(
            f"method {method} does not support {weight.shape[2]}x{weight.shape[3]} kernels with stride {layout.stride} "
            f"and dilation {layout.dilation}"
        )


def _library(x: Tensor, weight: Tensor, bias: Tensor | None, layout: Layout) -> Tensor:
    """PyTorch's own, which knows no padding that differs from side to side."""
    if all(before == after for before, after in layout.padding):
        padding = [before for before, _ in layout.padding]
    else:
        x, padding = pad(x, layout.padding), [0, 0]
    return F.conv2d(x, weight, bias, layout.stride, padding, layout.dilation, layout.groups)


def _autocast(*tensors: Tensor | None) -> tuple[Any, ...]:
    """The tensors in the precision that autocast asks for, as it would make those of PyTorch's own convolution."""
    device = next(tensor for tensor in tensors if tensor is not None).device.type
    if not torch.is_autocast_enabled(device):
        return tensors
    dtype = torch.get_autocast_dtype(device)
    return tuple(t if t is None or t.dtype == torch.float64 else t.to(dtype) for t in tensors)
