"""Where a kernel lies on its input: what every method of convolution is told beside the two tensors."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.ops.size import Pair, Sides, extent, out_size

CACHE = 10 * 2**20  # bytes: about a core's part of the cache that all cores share


@dataclass(frozen=True)
class Layout:
    """Stride and dilation as (vertical, horizontal), the pixels added on each side, and the groups of channels."""

    stride: Pair = (1, 1)
    padding: Sides = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    groups: int = 1

    def out_sizes(self, sizes: Pair, kernel_size: Pair) -> Pair:
        """Height and width of the result for an input of height and width `sizes`.

        Raises:
            ValueError: the kernel does not fit.
        """
        vertical, horizontal = (
            out_size(sizes[axis], kernel_size[axis], self.stride[axis], self.padding[axis], self.dilation[axis])
            for axis in (0, 1)
        )
        return vertical, horizontal

    def slices(self, element: Pair, out: Pair) -> tuple[slice, slice]:
        """The rows and columns of the padded input that kernel element (u, v) meets at the `out` positions."""
        rows, columns = (
            slice(offset * dilation, offset * dilation + (count - 1) * stride + 1, stride)
            for offset, dilation, stride, count in zip(element, self.dilation, self.stride, out, strict=True)
        )
        return rows, columns

    def adjoint(self, kernel_size: Pair) -> "Layout":
        """The layout in which the turned kernel, sliding over the result's gradient, gives the input's; for stride 1.

        A padding can be negative there, which cuts off what lay in the input's own padding.
        """
        reach = [extent(kernel_size[axis], self.dilation[axis]) - 1 for axis in (0, 1)]
        vertical, horizontal = (
            (reach[axis] - self.padding[axis][0], reach[axis] - self.padding[axis][1]) for axis in (0, 1)
        )
        return Layout((1, 1), (vertical, horizontal), self.dilation, self.groups)


def some_at_once(count: int, bytes_each: int) -> Iterator[slice]:
    """The images of a batch in parts of like sizes; what is made of one stays within the processor's cache."""
    most = max(1, CACHE // max(1, bytes_each))
    step = max(1, math.ceil(count / max(1, math.ceil(count / most))))
    for first in range(0, count, step):
        yield slice(first, min(first + step, count))


class Total:
    """A sum of products of matrices, in float32 where the factors are of lower precision; `shape` is (groups, M, N)."""

    def __init__(self, like: Tensor, *shape: int) -> None:
        self.sum = like.new_zeros(shape, dtype=torch.promote_types(like.dtype, torch.float32))

    def add_product(self, a: Tensor, b: Tensor) -> None:
        """Add a b."""
        if a.dtype == self.sum.dtype:
            self.sum.baddbmm_(a, b)
        else:
            self.sum += a @ b


def pad(x: Tensor, padding: Sides, value: float = 0.0) -> Tensor:
    """`x` (..., H, W) with pixels of `value` around it; negative numbers cut off."""
    (above, below), (left, right) = padding
    return F.pad(x, (left, right, above, below), value=value) if any((above, below, left, right)) else x


def crop(x: Tensor, padding: Sides) -> Tensor:
    """The adjoint of `pad`: takes off what that adds, and gives zeros for what it cuts off."""
    (above, below), (left, right) = padding
    if min(above, below, left, right) < 0:
        return F.pad(x, (-left, -right, -above, -below))
    return x[..., above : x.shape[-2] - below, left : x.shape[-1] - right]


def padded_size(sizes: Pair, padding: Sides) -> Pair:
    """Height and width after `pad`."""
    return sizes[0] + sum(padding[0]), sizes[1] + sum(padding[1])


def turn(weight: Tensor) -> Tensor:
    """The kernels turned by 180 degrees: (..., U, V) to the same."""
    return weight.flip(-2, -1)


def exchange(weight: Tensor, groups: int) -> Tensor:
    """Kernels that lead back from the output channels to the input's: (O, C/groups, U, V) to (C, O/groups, U, V)."""
    out_channels, group_channels, *size = weight.shape
    split = weight.reshape(groups, out_channels // groups, group_channels, *size)
    return split.transpose(1, 2).reshape(groups * group_channels, out_channels // groups, *size)
