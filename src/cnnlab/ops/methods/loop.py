"""Cross-correlation as it is defined, one output number at a time.

    y[n, o, i, j] = sum over c, u, v of  w[o, c, u, v] x[n, c, i s + u d, j s + v d]

with stride s and dilation d on the padded x; c runs over the channels of o's group. It supports everything and never
wins: a number costs some microseconds of Python whatever the kernel's size. It is here to be read and to be compared
with.
"""

from collections.abc import Iterator
from itertools import product

from torch import Tensor

from cnnlab.ops.layout import Layout, crop, pad, padded_size
from cnnlab.ops.size import Pair, extent

Position = tuple[int, int, int, int]  # n, o, i, j
Window = tuple[int, slice, slice, slice]  # n, c, rows, columns


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return True


def windows(shape: Position, weight: Tensor, layout: Layout) -> Iterator[tuple[Position, Window]]:
    """Each position of the result with the part of the padded input that it is made of."""
    out_channels, group_channels, *kernel_size = weight.shape
    (down, right), (rows, columns) = layout.stride, layout.dilation
    height, width = (extent(size, dilation) for size, dilation in zip(kernel_size, layout.dilation, strict=True))
    for n, o, i, j in product(*map(range, shape)):
        first = o // (out_channels // layout.groups) * group_channels
        top, left = i * down, j * right
        yield (
            (n, o, i, j),
            (
                n,
                slice(first, first + group_channels),
                slice(top, top + height, rows),
                slice(left, left + width, columns),
            ),
        )


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C/groups, U, V) to (N, O, H', W')."""
    out = layout.out_sizes((x.shape[2], x.shape[3]), (weight.shape[2], weight.shape[3]))
    shape = (len(x), len(weight), *out)
    x = pad(x, layout.padding)
    y = x.new_empty(shape)
    for position, window in windows(shape, weight, layout):
        y[position] = (weight[position[1]] * x[window]).sum()
    return y


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """Each output number gives its gradient, times the kernel, back to its window: (N, O, H', W') to (N, C, *sizes)."""
    channels = weight.shape[1] * layout.groups
    result = gradient.new_zeros(len(gradient), channels, *padded_size(sizes, layout.padding))
    n, o, height, width = gradient.shape
    for position, window in windows((n, o, height, width), weight, layout):
        result[window] += gradient[position] * weight[position[1]]
    return crop(result, layout.padding)


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """A kernel's gradient is the sum of its windows, each times its output's: to (O, C/groups, *kernel_size)."""
    result = gradient.new_zeros(gradient.shape[1], x.shape[1] // layout.groups, *kernel_size)
    x = pad(x, layout.padding)
    n, o, height, width = gradient.shape
    for position, window in windows((n, o, height, width), result, layout):
        result[position[1]] += gradient[position] * x[window]
    return result
