"""Cross-correlation computed exactly as it is defined, one output number at a time.

    y[n, o, i, j] = sum over c, u, v of  w[o, c, u, v] * x[n, c, i*s + u*d, j*s + v*d]

The kernel w[o] slides over the padded image x[n] with stride s and dilation d. At each position (i, j), it is
multiplied element by element with the window below it, and the products are summed. The sum over c runs over the input
channels in the group of output channel o.

The gradients follow from the chain rule. With e[n, o, i, j], the derivative of the loss with respect to y[n, o, i, j]:

    gradient of x:  each output adds e * kernel to its window
    gradient of w:  each output adds e * window to its kernel

This method supports every layout and is meant for reading and for testing the other methods. Each output number costs
microseconds of Python, whatever the kernel size. It uses NumPy because small operations have less overhead there.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
from torch import Tensor

from cnnlab.ops.layout import Layout, crop, height_width, pad, padded_size, positions
from cnnlab.ops.size import Pair

Position = tuple[int, int, int, int]  # image n, output channel o, row i, column j
Window = tuple[int, slice, slice, slice]  # image, input channels, rows, columns


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return True


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C/groups, U, V) to (N, O, H', W')."""
    inputs, kernels = to_numpy(pad(x, layout.padding)), to_numpy(weight)
    out = layout.out_sizes(height_width(x), height_width(weight))
    y = np.empty((len(x), len(weight), *out), inputs.dtype)
    for (n, o, i, j), window in windows(y.shape, kernels.shape, layout):
        y[n, o, i, j] = (kernels[o] * inputs[window]).sum()
    return torch.from_numpy(y).to(x)


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """(N, O, H', W') and (O, C/groups, U, V) to (N, C, *sizes)."""
    gradients, kernels = to_numpy(gradient), to_numpy(weight)
    channels = weight.shape[1] * layout.groups
    result = np.zeros((len(gradient), channels, *padded_size(sizes, layout.padding)), gradients.dtype)
    for (n, o, i, j), window in windows(gradients.shape, kernels.shape, layout):
        result[window] += gradients[n, o, i, j] * kernels[o]
    return crop(torch.from_numpy(result).to(gradient), layout.padding)


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """(N, C, H, W) and (N, O, H', W') to (O, C/groups, *kernel_size)."""
    inputs, gradients = to_numpy(pad(x, layout.padding)), to_numpy(gradient)
    result = np.zeros((gradient.shape[1], x.shape[1] // layout.groups, *kernel_size), inputs.dtype)
    for (n, o, i, j), window in windows(gradients.shape, result.shape, layout):
        result[o] += gradients[n, o, i, j] * inputs[window]
    return torch.from_numpy(result).to(x)


def windows(
    out_shape: tuple[int, ...], weight_shape: tuple[int, ...], layout: Layout
) -> Iterator[tuple[Position, Window]]:
    """Every position of the output, with the index of its window in the padded input.

    Args:
        out_shape: (N, O, H', W').
        weight_shape: (O, C/groups, U, V).
    """
    images, out_channels, height, width = out_shape
    _, group_channels, u, v = weight_shape
    places = [((i, j), layout.window((i, j), (u, v))) for i, j in positions((height, width))]
    for n, o in product(range(images), range(out_channels)):
        group = o // (out_channels // layout.groups)
        channels = slice(group * group_channels, (group + 1) * group_channels)
        for (i, j), (rows, columns) in places:
            yield (n, o, i, j), (n, channels, rows, columns)


def to_numpy(x: Tensor) -> np.ndarray:
    """Convert to NumPy, which has no bfloat16."""
    return (x.float() if x.dtype == torch.bfloat16 else x).numpy(force=True)
