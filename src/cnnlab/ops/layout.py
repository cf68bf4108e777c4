"""Window geometry and tensor layouts that the methods of convolution and pooling share."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.ops.size import Pair, Sides, extent, out_size

CACHE = 10 * 2**20  # bytes; roughly one core's part of the shared cache


@dataclass(frozen=True)
class Layout:
    """Where the windows of a kernel lie on the input.

    Attributes:
        stride, dilation: (vertical, horizontal).
        padding: pixels added on each side.
        groups: groups of channels.
    """

    stride: Pair = (1, 1)
    padding: Sides = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    groups: int = 1

    def out_sizes(self, sizes: Pair, kernel_size: Pair, ceil_mode: bool = False) -> Pair:
        """Height and width of the output for an input of height and width `sizes`.

        Raises:
            ValueError: the kernel does not fit.
        """
        vertical, horizontal = (
            out_size(sizes[i], kernel_size[i], self.stride[i], self.padding[i], self.dilation[i], ceil_mode)
            for i in (0, 1)
        )
        return vertical, horizontal

    def in_sizes(self, out: Pair, kernel_size: Pair) -> Pair:
        """Height and width of the smallest input, before padding, that has `out` windows."""
        height, width = (
            (out[i] - 1) * self.stride[i] + extent(kernel_size[i], self.dilation[i]) - sum(self.padding[i])
            for i in (0, 1)
        )
        return height, width

    def window(self, position: Pair, kernel_size: Pair) -> tuple[slice, slice]:
        """Rows and columns of the padded input in the window at output position (i, j)."""
        return _slices(position, self.stride, kernel_size, self.dilation)

    def shifted(self, element: Pair, out: Pair) -> tuple[slice, slice]:
        """Rows and columns of the padded input that kernel element (u, v) meets in the `out` windows."""
        return _slices(element, self.dilation, out, self.stride)

    def adjoint(self, kernel_size: Pair) -> "Layout":
        """For stride 1, the layout in which the flipped kernel maps the output's gradient to the input's gradient.

        Its padding can be negative, which crops the gradient that belongs to the input's padding.
        """
        vertical, horizontal = (
            (extent(size, dilation) - 1 - before, extent(size, dilation) - 1 - after)
            for size, dilation, (before, after) in zip(kernel_size, self.dilation, self.padding, strict=True)
        )
        return Layout((1, 1), (vertical, horizontal), self.dilation, self.groups)


def _slices(index: Pair, spacing: Pair, count: Pair, step: Pair) -> tuple[slice, slice]:
    """Along each axis, `count` pixels at distance `step`, starting at index * spacing."""
    rows, columns = (
        slice(i * s, i * s + (n - 1) * t + 1, t) for i, s, n, t in zip(index, spacing, count, step, strict=True)
    )
    return rows, columns


def positions(size: Pair) -> Iterator[Pair]:
    """All (row, column) positions of a map or a kernel, row by row."""
    return product(range(size[0]), range(size[1]))


def height_width(x: Tensor) -> Pair:
    """The last two sizes of `x` (..., H, W)."""
    return x.shape[-2], x.shape[-1]


def batch_parts(count: int, bytes_each: int) -> Iterator[slice]:
    """Split a batch into parts of similar size whose intermediate results fit into the CPU's cache."""
    most = max(1, CACHE // max(1, bytes_each))
    step = max(1, math.ceil(count / max(1, math.ceil(count / most))))
    for first in range(0, count, step):
        yield slice(first, min(first + step, count))


class MatrixSum:
    """A sum of matrix products of shape (groups, M, N), accumulated in float32 if the factors have lower precision."""

    def __init__(self, like: Tensor, *shape: int) -> None:
        self.sum = like.new_zeros(shape, dtype=torch.promote_types(like.dtype, torch.float32))

    def add_product(self, a: Tensor, b: Tensor) -> None:
        """Add a @ b."""
        if a.dtype == self.sum.dtype:
            self.sum.baddbmm_(a, b)
        else:
            self.sum += a @ b


def pad(x: Tensor, padding: Sides, value: float = 0.0) -> Tensor:
    """Pad `x` (..., H, W) with `value`; negative padding crops."""
    (above, below), (left, right) = padding
    return F.pad(x, (left, right, above, below), value=value) if any((above, below, left, right)) else x


def crop(x: Tensor, padding: Sides) -> Tensor:
    """The adjoint of `pad`: crop what it adds, and restore what it crops as zeros."""
    (above, below), (left, right) = padding
    if min(above, below, left, right) < 0:
        return F.pad(x, (-left, -right, -above, -below))
    return x[..., above : x.shape[-2] - below, left : x.shape[-1] - right]


def padded_size(sizes: Pair, padding: Sides) -> Pair:
    """Height and width after `pad`."""
    return sizes[0] + sum(padding[0]), sizes[1] + sum(padding[1])


def pixel_rows(x: Tensor, groups: int) -> Tensor:
    """(N, C, H, W) to matrices (groups, N H W, C/groups), one row per pixel; a view if `x` is `channels_last`."""
    return x.permute(0, 2, 3, 1).reshape(-1, groups, x.shape[1] // groups).transpose(0, 1)


def flip_kernel(weight: Tensor) -> Tensor:
    """Flip kernels (..., U, V) along both axes, a rotation by 180 degrees."""
    return weight.flip(-2, -1)


def swap_channels(weight: Tensor, groups: int) -> Tensor:
    """Exchange input and output channels within each group: (O, C/groups, U, V) to (C, O/groups, U, V)."""
    out_channels, group_channels, *size = weight.shape
    split = weight.reshape(groups, out_channels // groups, group_channels, *size)
    return split.transpose(1, 2).reshape(groups * group_channels, out_channels // groups, *size)
