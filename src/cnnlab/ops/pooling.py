"""Pooling: a window slides over each channel, and a function reduces it to one number.

Max, average and L2 pooling and pooling by any function, with PyTorch's signatures.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cnnlab.errors import one_of
from cnnlab.ops.layout import Layout, crop, height_width, pad, padded_size, positions
from cnnlab.ops.size import Pair, pair

WindowFunction = Callable[[Tensor], Tensor]
METHODS = ("loop", "shifted")


def pool2d(
    x: Tensor,
    function: WindowFunction,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    ceil_mode: bool = False,
    fill: float = 0.0,
    method: str = "shifted",
) -> Tensor:
    """Pool by any function: (N, C, H, W) to (N, C, H', W'), with or without N.

    Args:
        function: reduces windows (..., U V) to one number each (...). Autograd computes its gradient.
        stride: defaults to `kernel_size`.
        fill: value of the padding.
        method: `loop` calls `function` at each position, as in the definition. `shifted` calls it once on all windows,
            which takes U V times the memory of the output.

    Raises:
        ValueError: an argument is invalid or does not fit the input.
    """
    one_of("method", method, METHODS, ValueError)
    kernel, layout, out = window_geometry(x, kernel_size, stride, padding, dilation, ceil_mode)
    padded = pad_for_windows(x, kernel, layout, out, fill)
    if method == "shifted":
        return function(torch.stack(shifted_inputs(padded, kernel, layout, out), -1))
    rows = []
    for i in range(out[0]):
        windows = [padded[..., *layout.window((i, j), kernel)].flatten(-2) for j in range(out[1])]
        rows.append(torch.stack([function(window) for window in windows], -1))
    return torch.stack(rows, -2)


def max_pool2d(
    x: Tensor,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Maximum of each window: (N, C, H, W) to (N, C, H', W'), with or without N; arguments as in `pool2d`."""
    return MaxPooling.apply(x, *window_geometry(x, kernel_size, stride, padding, dilation, ceil_mode))


def avg_pool2d(
    x: Tensor,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Mean of each window: (N, C, H, W) to (N, C, H', W'), with or without N; arguments as in `pool2d`.

    Args:
        count_include_pad: whether the mean includes the zeros of the padding.
    """
    return AveragePooling.apply(
        x, *window_geometry(x, kernel_size, stride, padding, 1, ceil_mode), count_include_pad
    )  # fmt: skip


def global_avg_pool2d(x: Tensor) -> Tensor:
    """Mean of each channel: (..., H, W) to (..., 1, 1)."""
    return x.mean((-2, -1), keepdim=True)


def l2_pool2d(x: Tensor, kernel_size: int | Pair, stride: int | Pair | None = None, ceil_mode: bool = False) -> Tensor:
    """Square root of the sum of squares of each window; arguments and shapes as in `pool2d`.

    The gradient of a window of zeros is 0. With `ceil_mode`, windows beyond the border sum only the pixels inside.
    """

    def norm(windows: Tensor) -> Tensor:
        total = windows.square().sum(-1)
        return torch.where(total > 0, total, 1.0).sqrt() * (total > 0)

    return pool2d(x, norm, kernel_size, stride, ceil_mode=ceil_mode)


class MaxPooling(torch.autograd.Function):
    """The maximum of each window; the first maximum receives the full gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Pair, layout: Layout, out: Pair) -> Tensor:
        padded = pad_for_windows(x, kernel, layout, out, -torch.inf)
        y = padded.new_full((*x.shape[:-2], *out), -torch.inf)
        winner = torch.zeros_like(y, dtype=torch.int32)  # index of the maximum within its window
        for index, shifted in enumerate(shifted_inputs(padded, kernel, layout, out)):
            larger = (shifted > y) | shifted.isnan()
            y = torch.where(larger, shifted, y)
            winner.masked_fill_(larger, index)
        ctx.save_for_backward(winner)
        ctx.geometry = x.shape, kernel, layout, out
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (winner,) = ctx.saved_tensors
        shares = (gradient * (winner == index) for index in range(math.prod(ctx.geometry[1])))
        return add_to_windows(shares, gradient, *ctx.geometry), None, None, None


class AveragePooling(torch.autograd.Function):
    """The mean of each window; its pixels receive equal fractions of the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Pair, layout: Layout, out: Pair, count_include_pad: bool) -> Tensor:
        padded = pad_for_windows(x, kernel, layout, out, 0.0)
        y = padded.new_zeros(*x.shape[:-2], *out)
        for shifted in shifted_inputs(padded, kernel, layout, out):
            y += shifted
        ctx.count = _counts(height_width(x), kernel, layout, out, count_include_pad).to(x)
        ctx.geometry = x.shape, kernel, layout, out
        return y / ctx.count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        shares = [gradient / ctx.count] * math.prod(ctx.geometry[1])
        return add_to_windows(shares, gradient, *ctx.geometry), None, None, None, None


def window_geometry(
    x: Tensor,
    kernel_size: int | Pair,
    stride: int | Pair | None,
    padding: int | Pair,
    dilation: int | Pair,
    ceil_mode: bool,
) -> tuple[Pair, Layout, Pair]:
    """Kernel size, layout, and height and width of the output.

    Raises:
        ValueError: an argument is invalid or does not fit the input.
    """
    kernel, border = pair(kernel_size), pair(padding)
    strides = kernel if stride is None else pair(stride)
    if x.ndim not in (3, 4):
        raise ValueError(f"x must have 3 or 4 dimensions, got {x.ndim}")
    if min(*kernel, *strides, *pair(dilation)) < 1:
        raise ValueError(
            f"kernel_size, stride and dilation must be at least 1, got {kernel_size}, {stride} and {dilation}"
        )
    for pixels, size in zip(border, kernel, strict=True):
        if not 0 <= pixels <= size // 2:
            raise ValueError(f"padding must be at most half of the kernel's {size} pixels, got {pixels}")
    layout = Layout(strides, (pair(border[0]), pair(border[1])), pair(dilation))
    return kernel, layout, layout.out_sizes(height_width(x), kernel, ceil_mode)


def shifted_inputs(padded: Tensor, kernel: Pair, layout: Layout, out: Pair) -> list[Tensor]:
    """For each kernel element, row by row, a view (..., H', W') of the pixels that it meets in all windows."""
    return [padded[..., *layout.shifted(element, out)] for element in positions(kernel)]


def excess(sizes: Pair, kernel: Pair, layout: Layout, out: Pair) -> Pair:
    """Rows and columns by which the last windows extend beyond the padded input, with `ceil_mode`."""
    height, width = layout.in_sizes(out, kernel)
    return max(0, height - sizes[0]), max(0, width - sizes[1])


def pad_for_windows(x: Tensor, kernel: Pair, layout: Layout, out: Pair, fill: float) -> Tensor:
    """Add the padding to `x`, and the pixels that the last windows need beyond it."""
    below, right = excess(height_width(x), kernel, layout, out)
    return pad(pad(x, layout.padding, fill), ((0, below), (0, right)), fill)


def add_to_windows(
    shares: Iterable[Tensor], gradient: Tensor, shape: torch.Size, kernel: Pair, layout: Layout, out: Pair
) -> Tensor:
    """Gradient of the input: the sum of the gradients (..., H', W') that each kernel element passes to its pixels."""
    sizes = (shape[-2], shape[-1])
    below, right = excess(sizes, kernel, layout, out)
    height, width = padded_size(sizes, layout.padding)
    result = gradient.new_zeros(*shape[:-2], height + below, width + right)
    for pixels, share in zip(shifted_inputs(result, kernel, layout, out), shares, strict=True):
        pixels.add_(share)
    return crop(result[..., :height, :width], layout.padding)


def _counts(sizes: Pair, kernel: Pair, layout: Layout, out: Pair, count_include_pad: bool) -> Tensor:
    """Number of pixels in the mean of each window: (H', W')."""
    counts = []
    for axis in (0, 1):
        before, after = layout.padding[axis]
        start = torch.arange(out[axis]) * layout.stride[axis] - before
        first, last = (-before, sizes[axis] + after) if count_include_pad else (0, sizes[axis])
        counts.append((start + kernel[axis]).clamp(max=last) - start.clamp(min=first))
    return counts[0][:, None] * counts[1]
