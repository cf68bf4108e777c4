"""Cross-correlation as a sum over kernel elements: each weights a shifted copy of the input.

    y = sum over u, v of  w[:, :, u, v] @ x[:, :, u*d :: s, v*d :: s]

Each term is a matrix product over channels, so there are U V steps for any map size. This method supports every layout.
It needs memory only for the shifted copy of a few images, so it beats im2col when memory is scarce.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from cnnlab.ops.layout import (
    Layout,
    MatrixSum,
    batch_parts,
    crop,
    height_width,
    pad,
    padded_size,
    pixel_rows,
    positions,
)
from cnnlab.ops.size import Pair


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return True


def images(rows: Tensor, sizes: Pair) -> Tensor:
    """The inverse of `pixel_rows`: (groups, N H W, C/groups) to (N, C, H, W)."""
    groups, _, channels = rows.shape
    return rows.transpose(0, 1).reshape(-1, *sizes, groups * channels).permute(0, 3, 1, 2)


def element_matrices(weight: Tensor, groups: int) -> Tensor:
    """One matrix over channels per kernel element: (O, C/groups, U, V) to (U, V, groups, C/groups, O/groups)."""
    return weight.reshape(groups, len(weight) // groups, *weight.shape[1:]).permute(3, 4, 0, 2, 1)


def parts(x: Tensor, gradient: Tensor) -> Iterator[slice]:
    """Parts of the batch that stay in the CPU's cache from one kernel element to the next."""
    each = x[0].numel() + gradient[0].numel() if len(x) else 1
    return batch_parts(len(x), each * x.element_size())


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C/groups, U, V) to (N, O, H', W')."""
    kernel_size = height_width(weight)
    out = layout.out_sizes(height_width(x), kernel_size)
    matrices = element_matrices(weight, layout.groups).contiguous()
    y = x.new_empty(len(x), *out, len(weight)).permute(0, 3, 1, 2)
    for part in parts(x, y):
        padded = pad(x[part], layout.padding).contiguous(memory_format=torch.channels_last)
        total = MatrixSum(x, layout.groups, len(padded) * out[0] * out[1], matrices.shape[-1])
        for element in positions(kernel_size):
            rows, columns = layout.shifted(element, out)
            total.add_product(pixel_rows(padded[:, :, rows, columns], layout.groups), matrices[element])
        y[part] = images(total.sum, out)
    return y


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """Add the gradient, weighted by each kernel element, to that element's slice of the input.

    (N, O, H', W') and (O, C/groups, U, V) to (N, C, *sizes).
    """
    out = height_width(gradient)
    matrices = element_matrices(weight, layout.groups).mT.contiguous()
    channels = weight.shape[1] * layout.groups
    result = gradient.new_zeros(len(gradient), *padded_size(sizes, layout.padding), channels).permute(0, 3, 1, 2)
    for part in parts(gradient, result):
        gradients = pixel_rows(gradient[part], layout.groups)
        for element in positions(height_width(weight)):
            rows, columns = layout.shifted(element, out)
            result[part, :, rows, columns] += images(gradients @ matrices[element], out)
    return crop(result, layout.padding)


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """For each kernel element, multiply its slice of the input by the output's gradient.

    (N, C, H, W) and (N, O, H', W') to (O, C/groups, *kernel_size).
    """
    groups, out = layout.groups, height_width(gradient)
    group_channels, group_outputs = x.shape[1] // groups, gradient.shape[1] // groups
    result = {element: MatrixSum(x, groups, group_outputs, group_channels) for element in positions(kernel_size)}
    for part in parts(x, gradient):
        padded = pad(x[part], layout.padding).contiguous(memory_format=torch.channels_last)
        gradients = pixel_rows(gradient[part], groups).mT
        for element, total in result.items():
            rows, columns = layout.shifted(element, out)
            total.add_product(gradients, pixel_rows(padded[:, :, rows, columns], groups))
    stacked = torch.stack([total.sum for total in result.values()], -1)  # (groups, O/groups, C/groups, U V)
    return stacked.reshape(gradient.shape[1], group_channels, *kernel_size).to(x.dtype)
