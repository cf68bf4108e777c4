"""Cross-correlation as it is defined, one output number at a time.

    y[n, o, i, j] = sum over c, u, v of  w[o, c, u, v] x[n, c, i s + u d, j s + v d]

with stride s and dilation d on the padded x; c runs over the channels of o's group. It supports everything and never
wins: a number costs some microseconds of Python whatever the kernel's size. It is here to be read and to be compared
with, in NumPy's arrays because an operation on few numbers starts sooner there than in PyTorch.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
from torch import Tensor

from cnnlab.ops.layout import Layout, crop, pad, padded_size
from cnnlab.ops.size import Pair, extent

Position = tuple[int, int, int, int]  # n, o, i, j
Window = tuple[int, slice, slice, slice]  # n, c, rows, columns


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return True


def array(x: Tensor) -> np.ndarray:
    """The tensor's numbers; NumPy has no bfloat16."""
    return (x.float() if x.dtype == torch.bfloat16 else x).numpy(force=True)


def windows(shape: tuple[int, ...], kernels: tuple[int, ...], layout: Layout) -> Iterator[tuple[Position, Window]]:
    """Each position of the result with the part of the padded input that it is made of.

    Args:
        shape: (N, O, H', W') of the result.
        kernels: (O, C/groups, U, V).
    """
    out_channels, group_channels, *kernel_size = kernels
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
    inputs, kernels = array(pad(x, layout.padding)), array(weight)
    y = np.empty(shape, inputs.dtype)
    for position, window in windows(shape, kernels.shape, layout):
        y[position] = (kernels[position[1]] * inputs[window]).sum()
    return torch.from_numpy(y).to(x)


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """Each output number gives its gradient, times the kernel, back to its window: (N, O, H', W') to (N, C, *sizes)."""
    gradients, kernels = array(gradient), array(weight)
    channels = weight.shape[1] * layout.groups
    result = np.zeros((len(gradient), channels, *padded_size(sizes, layout.padding)), gradients.dtype)
    for position, window in windows(gradients.shape, kernels.shape, layout):
        result[window] += gradients[position] * kernels[position[1]]
    return crop(torch.from_numpy(result).to(gradient), layout.padding)


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """A kernel's gradient is the sum of its windows, each times its output's: to (O, C/groups, *kernel_size)."""
    inputs, gradients = array(pad(x, layout.padding)), array(gradient)
    result = np.zeros((gradient.shape[1], x.shape[1] // layout.groups, *kernel_size), inputs.dtype)
    for position, window in windows(gradients.shape, result.shape, layout):
        result[position[1]] += gradients[position] * inputs[window]
    return torch.from_numpy(result).to(x)
