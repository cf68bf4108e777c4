"""Cross-correlation as a sum over the kernel's elements: each weighs the input, shifted by its place in the kernel.

    y = sum over u, v of  w[:, :, u, v] x[:, :, u d :: s, v d :: s]

A step is a product of matrices over channels, added to the result, so there are U V steps whatever the map's size. It
supports everything, and needs no memory beyond a shifted copy of some images, so it wins over im2col where memory is
short.
"""

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from cnnlab.ops.layout import Layout, Total, crop, pad, padded_size, some_at_once
from cnnlab.ops.size import Pair


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return True


def elements(kernel_size: Pair) -> Iterator[Pair]:
    return product(range(kernel_size[0]), range(kernel_size[1]))


def pixels(x: Tensor, groups: int) -> Tensor:
    """(N, C, H, W) to (groups, N H W, C/groups), without a copy where the channels lie innermost."""
    return x.permute(0, 2, 3, 1).reshape(-1, groups, x.shape[1] // groups).transpose(0, 1)


def images(rows: Tensor, sizes: Pair) -> Tensor:
    """The inverse of `pixels`."""
    groups, _, channels = rows.shape
    return rows.transpose(0, 1).reshape(-1, *sizes, groups * channels).permute(0, 3, 1, 2)


def grouped(weight: Tensor, groups: int) -> Tensor:
    """(O, C/groups, U, V) to (U, V, groups, C/groups, O/groups)."""
    return weight.reshape(groups, len(weight) // groups, *weight.shape[1:]).permute(3, 4, 0, 2, 1)


def parts(x: Tensor, gradient: Tensor) -> Iterator[slice]:
    """The images in parts that stay in the processor's cache from one element to the next."""
    each = x[0].numel() + gradient[0].numel() if len(x) else 1
    return some_at_once(len(x), each * x.element_size())


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C/groups, U, V) to (N, O, H', W')."""
    kernel_size = (weight.shape[2], weight.shape[3])
    out = layout.out_sizes((x.shape[2], x.shape[3]), kernel_size)
    kernels = grouped(weight, layout.groups).contiguous()
    y = x.new_empty(len(x), *out, len(weight)).permute(0, 3, 1, 2)
    for part in parts(x, y):
        padded = pad(x[part], layout.padding).contiguous(memory_format=torch.channels_last)
        total = Total(x, layout.groups, len(padded) * out[0] * out[1], kernels.shape[-1])
        for element in elements(kernel_size):
            rows, columns = layout.slices(element, out)
            total.add_product(pixels(padded[:, :, rows, columns], layout.groups), kernels[element])
        y[part] = images(total.sum, out)
    return y


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """Each element's slice of the input gets the gradient, times that element: (N, O, H', W') to (N, C, *sizes)."""
    out = (gradient.shape[2], gradient.shape[3])
    kernels = grouped(weight, layout.groups).mT.contiguous()
    channels = weight.shape[1] * layout.groups
    result = gradient.new_zeros(len(gradient), *padded_size(sizes, layout.padding), channels).permute(0, 3, 1, 2)
    for part in parts(gradient, result):
        rows_of_part = pixels(gradient[part], layout.groups)
        for element in elements((weight.shape[2], weight.shape[3])):
            rows, columns = layout.slices(element, out)
            result[part, :, rows, columns] += images(rows_of_part @ kernels[element], out)
    return crop(result, layout.padding)


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """An element's gradient is the product of its slice and the output's: to (O, C/groups, *kernel_size)."""
    groups, out = layout.groups, (gradient.shape[2], gradient.shape[3])
    group_channels, group_outputs = x.shape[1] // groups, gradient.shape[1] // groups
    result = {element: Total(x, groups, group_outputs, group_channels) for element in elements(kernel_size)}
    for part in parts(x, gradient):
        padded = pad(x[part], layout.padding).contiguous(memory_format=torch.channels_last)
        gradients = pixels(gradient[part], groups).mT
        for element in elements(kernel_size):
            rows, columns = layout.slices(element, out)
            result[element].add_product(gradients, pixels(padded[:, :, rows, columns], groups))
    stacked = torch.stack([total.sum for total in result.values()], -1)  # (groups, O/groups, C/groups, U V)
    return stacked.reshape(gradient.shape[1], group_channels, *kernel_size).to(x.dtype)
