"""Cross-correlation as one matrix product: the windows of the input, one per row, times the kernels, one per column.

Chellapilla, Puri and Simard, "High performance convolutional neural networks for document processing", 2006.

A row holds a window with the channels innermost, as in the memory of a `channels_last` tensor. Contiguous runs of
channels are therefore copied together, and the product is itself a `channels_last` result. This method supports every
layout. The rows are U V times as large as the images, so only a few images are processed together and no rows are
saved for the backward pass. It is fast for small maps with many channels, where the product is large and the copies
are small.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from cnnlab.ops.layout import (
    Layout,
    MatrixSum,
    batch_parts,
    crop,
    flip_kernel,
    height_width,
    pad,
    padded_size,
    pixel_rows,
    positions,
    swap_channels,
)
from cnnlab.ops.size import Pair


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return True


def im2col(x: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """View the windows of `x` (N, C, H, W) as (N, H', W', U, V, C); copies only to pad or reorder `x`."""
    out = layout.out_sizes(height_width(x), kernel_size)
    x = pad(x, layout.padding).contiguous(memory_format=torch.channels_last)
    image, channel, row, column = x.stride()
    (down, right), (rows, columns) = layout.stride, layout.dilation
    return x.as_strided(
        (len(x), *out, *kernel_size, x.shape[1]),
        (image, row * down, column * right, row * rows, column * columns, channel),
    )


def col2im(columns: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """The adjoint of `im2col`: add each window entry to its pixel, (N, H', W', U, V, C) to (N, C, *sizes)."""
    n, height, width, u, v, channels = columns.shape
    result = columns.new_zeros(n, *padded_size(sizes, layout.padding), channels).permute(0, 3, 1, 2)
    for element in positions((u, v)):
        rows, cols = layout.shifted(element, (height, width))
        result[:, :, rows, cols] += columns[:, :, :, element[0], element[1]].permute(0, 3, 1, 2)
    return crop(result, layout.padding)


def window_rows(x: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """(N, C, H, W) to (groups, N H' W', U V C/groups)."""
    columns = im2col(x, kernel_size, layout)
    n, height, width, u, v, channels = columns.shape
    split = columns.reshape(n * height * width, u * v, layout.groups, channels // layout.groups)
    return split.permute(2, 0, 1, 3).reshape(layout.groups, n * height * width, u * v * channels // layout.groups)


def kernel_columns(weight: Tensor, groups: int) -> Tensor:
    """(O, C/groups, U, V) to (groups, U V C/groups, O/groups)."""
    out_channels, group_channels, u, v = weight.shape
    split = weight.reshape(groups, out_channels // groups, group_channels, u * v)
    return split.permute(0, 3, 2, 1).reshape(groups, u * v * group_channels, out_channels // groups)


def parts(x: Tensor, out: Pair, kernel_size: Pair) -> Iterator[slice]:
    """Parts of the batch whose window rows stay in the CPU's cache until they are multiplied."""
    row = kernel_size[0] * kernel_size[1] * x.shape[1] * x.element_size()
    return batch_parts(len(x), out[0] * out[1] * row)


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C/groups, U, V) to (N, O, H', W')."""
    kernel_size = height_width(weight)
    out = layout.out_sizes(height_width(x), kernel_size)
    kernels = kernel_columns(weight, layout.groups)
    y = x.new_empty(len(x), *out, len(weight)).permute(0, 3, 1, 2)
    for part in parts(x, out, kernel_size):
        torch.bmm(window_rows(x[part], kernel_size, layout), kernels, out=pixel_rows(y[part], layout.groups))
    return y


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """Slide the flipped kernels over the gradient at stride 1; otherwise add up weighted kernels by `col2im`.

    (N, O, H', W') and (O, C/groups, U, V) to (N, C, *sizes).
    """
    kernel_size = height_width(weight)
    if layout.stride == (1, 1):
        return forward(gradient, swap_channels(flip_kernel(weight), layout.groups), layout.adjoint(kernel_size))
    groups, out = layout.groups, height_width(gradient)
    kernels = kernel_columns(weight, groups).mT
    result = gradient.new_empty(len(gradient), *sizes, weight.shape[1] * groups).permute(0, 3, 1, 2)
    for part in parts(result, out, kernel_size):
        rows = pixel_rows(gradient[part], groups) @ kernels
        split = rows.reshape(groups, -1, *out, *kernel_size, weight.shape[1])
        result[part] = col2im(split.permute(1, 2, 3, 4, 5, 0, 6).flatten(5), sizes, layout)
    return result


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """Multiply the transposed gradient of the output by the window rows.

    (N, C, H, W) and (N, O, H', W') to (O, C/groups, *kernel_size).
    """
    groups, out_channels = layout.groups, gradient.shape[1]
    group_channels = x.shape[1] // groups
    result = MatrixSum(x, groups, out_channels // groups, kernel_size[0] * kernel_size[1] * group_channels)
    for part in parts(x, height_width(gradient), kernel_size):
        result.add_product(pixel_rows(gradient[part], groups).mT, window_rows(x[part], kernel_size, layout))
    split = result.sum.reshape(out_channels, *kernel_size, group_channels)
    return split.permute(0, 3, 1, 2).to(x.dtype)


def both_gradients(x: Tensor, gradient: Tensor, weight: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
    """Gradients of the input and the weight at stride 1, from the same window rows.

    The input's gradient is the product of the flipped kernels and the windows of the output's gradient. The product of
    the input and the same windows is the weight's gradient, flipped, so the input needs no window rows of its own.
    """
    groups, group_channels = layout.groups, weight.shape[1]
    kernel_size, sizes = height_width(weight), height_width(x)
    adjoint = layout.adjoint(kernel_size)
    kernels = kernel_columns(swap_channels(flip_kernel(weight), groups), groups)  # (groups, U V O/groups, C/groups)
    for_x = x.new_empty(len(x), *sizes, x.shape[1]).permute(0, 3, 1, 2)
    for_weight = MatrixSum(x, groups, group_channels, kernels.shape[1])
    for part in parts(gradient, sizes, kernel_size):
        rows = window_rows(gradient[part], kernel_size, adjoint)
        torch.bmm(rows, kernels, out=pixel_rows(for_x[part], groups))
        for_weight.add_product(pixel_rows(x[part], groups).mT, rows)
    split = for_weight.sum.reshape(groups, group_channels, *kernel_size, len(weight) // groups)
    return for_x, flip_kernel(split.permute(0, 4, 1, 2, 3).reshape(weight.shape)).to(x.dtype)
