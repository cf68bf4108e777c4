"""Pooling: a window slides over each channel, and a function makes one number of what it covers.

Max, average and L2 pooling, and any other function; with PyTorch's signatures.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cnnlab.ops.layout import Layout, crop, pad, padded_size
from cnnlab.ops.size import Pair, out_size, pair

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
    """Pool by any function: (N, C, H, W) to (N, C, H', W'), or both without N.

    Args:
        function: from windows (..., U V), row by row, to one number each (...); PyTorch derives its gradient.
        stride: the kernel's size where it is None.
        fill: what the padding holds.
        method: `loop` calls `function` at each position, as pooling is defined; `shifted` calls it once, on all
            windows side by side, which takes U V times the result's memory.

    Raises:
        ValueError: arguments that do not go together.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {list(METHODS)}, got {method!r}")
    kernel, layout, out = place(x, kernel_size, stride, padding, dilation, ceil_mode)
    padded = room_for(x, kernel, layout, out, fill)
    if method == "shifted":
        return function(torch.stack([padded[index] for index in shifts(kernel, layout, out)], -1))
    rows = []
    for i in range(out[0]):
        windows = [padded[window_at((i, j), kernel, layout)].flatten(-2) for j in range(out[1])]
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
    """The largest number of each window: (N, C, H, W) to (N, C, H', W'), or both without N; arguments as `pool2d`."""
    return MaxPooling.apply(x, *place(x, kernel_size, stride, padding, dilation, ceil_mode))


def avg_pool2d(
    x: Tensor,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window: (N, C, H, W) to (N, C, H', W'), or both without N; arguments as `pool2d`.

    Args:
        count_include_pad: whether the padding's zeros count in the mean.
    """
    return AveragePooling.apply(x, *place(x, kernel_size, stride, padding, 1, ceil_mode), count_include_pad)


def global_avg_pool2d(x: Tensor) -> Tensor:
    """The mean of each channel: (..., H, W) to (..., 1, 1)."""
    return x.mean((-2, -1), keepdim=True)


def l2_pool2d(x: Tensor, kernel_size: int | Pair, stride: int | Pair | None = None, ceil_mode: bool = False) -> Tensor:
    """The root of the sum of squares of each window; arguments and shapes as `pool2d`.

    A window of zeros hands back no gradient. Windows that `ceil_mode` lets reach outside count what they cover.
    """

    def root(windows: Tensor) -> Tensor:
        total = windows.square().sum(-1)
        return torch.where(total > 0, total, 1.0).sqrt() * (total > 0)

    return pool2d(x, root, kernel_size, stride, ceil_mode=ceil_mode)


class MaxPooling(torch.autograd.Function):
    """The maximum, and its gradient: all of it goes to the window's first largest pixel, nothing to the others."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Pair, layout: Layout, out: Pair) -> Tensor:
        padded = room_for(x, kernel, layout, out, -torch.inf)
        y = padded.new_full((*x.shape[:-2], *out), -torch.inf)
        winner = torch.zeros_like(y, dtype=torch.int32)  # which of the kernel's places it was
        for place_number, index in enumerate(shifts(kernel, layout, out)):
            larger = (padded[index] > y) | padded[index].isnan()
            y = torch.where(larger, padded[index], y)
            winner.masked_fill_(larger, place_number)
        ctx.save_for_backward(winner)
        ctx.sizes, ctx.kernel, ctx.layout, ctx.out = x.shape, kernel, layout, out
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (winner,) = ctx.saved_tensors
        parts = (gradient * (winner == number) for number in range(ctx.kernel[0] * ctx.kernel[1]))
        return spread(parts, gradient, ctx.sizes, ctx.kernel, ctx.layout, ctx.out), None, None, None


class AveragePooling(torch.autograd.Function):
    """The mean, and its gradient: every pixel of a window gets the same share."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Pair, layout: Layout, out: Pair, count_include_pad: bool) -> Tensor:
        padded = room_for(x, kernel, layout, out, 0.0)
        y = padded.new_zeros(*x.shape[:-2], *out)
        for index in shifts(kernel, layout, out):
            y += padded[index]
        ctx.count = _counts((x.shape[-2], x.shape[-1]), kernel, layout, out, count_include_pad).to(x)
        ctx.sizes, ctx.kernel, ctx.layout, ctx.out = x.shape, kernel, layout, out
        return y / ctx.count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        fraction = gradient / ctx.count
        parts = (fraction for _ in range(ctx.kernel[0] * ctx.kernel[1]))
        return spread(parts, gradient, ctx.sizes, ctx.kernel, ctx.layout, ctx.out), None, None, None, None


def place(
    x: Tensor,
    kernel_size: int | Pair,
    stride: int | Pair | None,
    padding: int | Pair,
    dilation: int | Pair,
    ceil_mode: bool,
) -> tuple[Pair, Layout, Pair]:
    """The kernel's size, its layout, and the result's height and width.

    Raises:
        ValueError: arguments that do not go together.
    """
    kernel, rows = pair(kernel_size), pair(padding)
    steps = kernel if stride is None else pair(stride)
    if x.ndim not in (3, 4):
        raise ValueError(f"the input must have 3 or 4 dimensions, got {x.ndim}")
    if min(*kernel, *steps, *pair(dilation)) < 1:
        raise ValueError(
            f"kernel_size, stride and dilation must be at least 1, got {kernel_size}, {stride} and {dilation}"
        )
    for axis in (0, 1):
        if not 0 <= rows[axis] <= kernel[axis] // 2:
            raise ValueError(f"padding must be at most half of the kernel's {kernel[axis]} pixels, got {rows[axis]}")
    layout = Layout(steps, ((rows[0], rows[0]), (rows[1], rows[1])), pair(dilation))
    height, width = (
        out_size(x.shape[axis - 2], kernel[axis], steps[axis], rows[axis], layout.dilation[axis], ceil_mode)
        for axis in (0, 1)
    )
    return kernel, layout, (height, width)


def shifts(kernel: Pair, layout: Layout, out: Pair) -> Iterator[tuple[Any, ...]]:
    """For each of the kernel's places, row by row, the index of the padded pixels that all windows have there."""
    for element in product(range(kernel[0]), range(kernel[1])):
        yield (..., *layout.slices(element, out))


def window_at(position: Pair, kernel: Pair, layout: Layout) -> tuple[Any, ...]:
    """The index of one window's padded pixels."""
    rows, columns = (
        slice(index * stride, index * stride + (size - 1) * dilation + 1, dilation)
        for index, stride, size, dilation in zip(position, layout.stride, kernel, layout.dilation, strict=True)
    )
    return (..., rows, columns)


def missing(sizes: Pair, kernel: Pair, layout: Layout, out: Pair) -> Pair:
    """Rows and columns by which a last window, rounded up, reaches over the padded input."""
    padded = padded_size(sizes, layout.padding)
    down, right = (
        max(0, (out[axis] - 1) * layout.stride[axis] + (kernel[axis] - 1) * layout.dilation[axis] + 1 - padded[axis])
        for axis in (0, 1)
    )
    return down, right


def room_for(x: Tensor, kernel: Pair, layout: Layout, out: Pair, fill: float) -> Tensor:
    """`x` with its padding, and with what a last window needs beyond it."""
    below, right = missing((x.shape[-2], x.shape[-1]), kernel, layout, out)
    return pad(pad(x, layout.padding, fill), ((0, below), (0, right)), fill)


def spread(
    parts: Iterator[Tensor], gradient: Tensor, shape: torch.Size, kernel: Pair, layout: Layout, out: Pair
) -> Tensor:
    """The gradient of the input, of what each of the kernel's places hands back to its pixels."""
    sizes = (shape[-2], shape[-1])
    below, right = missing(sizes, kernel, layout, out)
    height, width = padded_size(sizes, layout.padding)
    result = gradient.new_zeros(*shape[:-2], height + below, width + right)
    for index, part in zip(shifts(kernel, layout, out), parts, strict=True):
        result[index] += part
    return crop(result[..., :height, :width], layout.padding)


def _counts(sizes: Pair, kernel: Pair, layout: Layout, out: Pair, count_include_pad: bool) -> Tensor:
    """The pixels that count in each window: (H', W')."""
    along = []
    for axis in (0, 1):
        before, after = layout.padding[axis]
        start = torch.arange(out[axis]) * layout.stride[axis] - before
        first, last = (-before, sizes[axis] + after) if count_include_pad else (0, sizes[axis])
        along.append((start + kernel[axis]).clamp(max=last) - start.clamp(min=first))
    return along[0][:, None] * along[1]
