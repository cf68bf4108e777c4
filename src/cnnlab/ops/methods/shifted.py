"""Cross-correlation as a sum over the kernel's elements: each weighs the input, shifted by its place in the kernel.

    y = sum over u, v of  w[:, :, u, v] x[:, :, u d :: s, v d :: s]

A step is a product of matrices over channels, so there are U V steps whatever the map's size. It supports everything,
needs no memory beyond a shifted copy, and wins over im2col where memory is short.
"""

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from cnnlab.ops.layout import Layout, crop, pad, padded_size
from cnnlab.ops.size import Pair


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return True


def elements(kernel_size: Pair) -> Iterator[Pair]:
    return product(range(kernel_size[0]), range(kernel_size[1]))


def split(x: Tensor, groups: int) -> Tensor:
    """(N, C, H, W) to (N, groups, C/groups, H W)."""
    return x.reshape(len(x), groups, x.shape[1] // groups, x.shape[2] * x.shape[3])


def grouped(weight: Tensor, groups: int) -> Tensor:
    """(O, C/groups, U, V) to (U, V, groups, O/groups, C/groups)."""
    return weight.reshape(groups, len(weight) // groups, *weight.shape[1:]).permute(3, 4, 0, 1, 2)


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C/groups, U, V) to (N, O, H', W')."""
    kernel_size = (weight.shape[2], weight.shape[3])
    out = layout.out_sizes((x.shape[2], x.shape[3]), kernel_size)
    x, kernels = pad(x, layout.padding), grouped(weight, layout.groups)
    y = x.new_zeros(len(x), layout.groups, len(weight) // layout.groups, out[0] * out[1])
    for element in elements(kernel_size):
        rows, columns = layout.slices(element, out)
        y += kernels[element] @ split(x[:, :, rows, columns], layout.groups)
    return y.reshape(len(x), len(weight), *out)


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """Each element's slice of the input gets the gradient, times that element: (N, O, H', W') to (N, C, *sizes)."""
    out = (gradient.shape[2], gradient.shape[3])
    kernels, parts = grouped(weight, layout.groups), split(gradient, layout.groups)
    channels = weight.shape[1] * layout.groups
    result = gradient.new_zeros(len(gradient), channels, *padded_size(sizes, layout.padding))
    for element in elements((weight.shape[2], weight.shape[3])):
        rows, columns = layout.slices(element, out)
        result[:, :, rows, columns] += (kernels[element].mT @ parts).reshape(len(gradient), channels, *out)
    return crop(result, layout.padding)


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """An element's gradient is the product of its slice and the output's: to (O, C/groups, *kernel_size)."""
    out = (gradient.shape[2], gradient.shape[3])
    x, parts = pad(x, layout.padding), split(gradient, layout.groups)
    result = []
    for element in elements(kernel_size):
        rows, columns = layout.slices(element, out)
        slices = split(x[:, :, rows, columns], layout.groups)
        result.append(torch.einsum("ngol,ngcl->goc", parts, slices))
    stacked = torch.stack(result, -1)  # (groups, O/groups, C/groups, U V)
    return stacked.reshape(gradient.shape[1], x.shape[1] // layout.groups, *kernel_size)
