"""Cross-correlation as one product of matrices: the windows of the input, laid out as rows, times the kernels.

After Chellapilla, Puri and Simard, "High performance convolutional neural networks for document processing", 2006. A
row holds a window with its channels innermost, which is how `channels_last` tensors lie in memory, so that whole runs
of channels are copied and the product itself is a `channels_last` result. It supports everything. The rows are U V
times as large as the images that they are made of, so some images are done at once, and nothing of the rows is kept for
the backward pass. It wins where maps are small and channels many, as there the product is large and the copies small.
"""

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from cnnlab.ops.layout import Layout, Total, crop, exchange, pad, padded_size, some_at_once, turn
from cnnlab.ops.size import Pair


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return True


def im2col(x: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """The windows of `x` (N, C, H, W) as rows: (N, H', W', U, V, C), a copy only if it has to be one."""
    out = layout.out_sizes((x.shape[2], x.shape[3]), kernel_size)
    x = pad(x, layout.padding).contiguous(memory_format=torch.channels_last)
    image, channel, row, column = x.stride()
    (down, right), (rows, columns) = layout.stride, layout.dilation
    return x.as_strided(
        (len(x), *out, *kernel_size, x.shape[1]),
        (image, row * down, column * right, row * rows, column * columns, channel),
    )


def col2im(columns: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """The adjoint of `im2col`: every pixel gets the sum of its places in the rows: to (N, C, *sizes)."""
    n, height, width, u, v, channels = columns.shape
    result = columns.new_zeros(n, *padded_size(sizes, layout.padding), channels).permute(0, 3, 1, 2)
    for element in product(range(u), range(v)):
        rows, cols = layout.slices(element, (height, width))
        result[:, :, rows, cols] += columns[:, :, :, element[0], element[1]].permute(0, 3, 1, 2)
    return crop(result, layout.padding)


def rows_of(x: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """(N, C, H, W) to (groups, N H' W', U V C/groups)."""
    groups = layout.groups
    columns = im2col(x, kernel_size, layout)
    n, height, width, u, v, channels = columns.shape
    split = columns.reshape(n * height * width, u * v, groups, channels // groups)
    return split.permute(2, 0, 1, 3).reshape(groups, n * height * width, u * v * channels // groups)


def kernels_of(weight: Tensor, groups: int) -> Tensor:
    """(O, C/groups, U, V) to (groups, U V C/groups, O/groups)."""
    out_channels, group_channels, u, v = weight.shape
    split = weight.reshape(groups, out_channels // groups, group_channels, u * v)
    return split.permute(0, 3, 2, 1).reshape(groups, u * v * group_channels, out_channels // groups)


def pixels_of(y: Tensor, groups: int) -> Tensor:
    """(N, O, H', W') to (groups, N H' W', O/groups); a view where `y` is `channels_last`."""
    return y.permute(0, 2, 3, 1).reshape(-1, groups, y.shape[1] // groups).transpose(0, 1)


def parts(x: Tensor, out: Pair, kernel_size: Pair) -> Iterator[slice]:
    """The images in parts whose rows stay in the processor's cache between their making and their product."""
    row = kernel_size[0] * kernel_size[1] * x.shape[1] * x.element_size()
    return some_at_once(len(x), out[0] * out[1] * row)


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C/groups, U, V) to (N, O, H', W')."""
    kernel_size = (weight.shape[2], weight.shape[3])
    out = layout.out_sizes((x.shape[2], x.shape[3]), kernel_size)
    kernels = kernels_of(weight, layout.groups)
    y = x.new_empty(len(x), *out, len(weight)).permute(0, 3, 1, 2)
    for part in parts(x, out, kernel_size):
        torch.bmm(rows_of(x[part], kernel_size, layout), kernels, out=pixels_of(y[part], layout.groups))
    return y


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """At stride 1 the turned kernels slide over the gradient; else its rows are added up: to (N, C, *sizes)."""
    kernel_size = (weight.shape[2], weight.shape[3])
    if layout.stride == (1, 1):
        return forward(gradient, exchange(turn(weight), layout.groups), layout.adjoint(kernel_size))
    groups, out = layout.groups, (gradient.shape[2], gradient.shape[3])
    channels = weight.shape[1] * groups
    kernels = kernels_of(weight, groups).mT
    result = gradient.new_empty(len(gradient), *sizes, channels).permute(0, 3, 1, 2)
    row = kernel_size[0] * kernel_size[1] * channels * gradient.element_size()
    for part in some_at_once(len(gradient), out[0] * out[1] * row):
        rows = pixels_of(gradient[part], groups) @ kernels
        split = rows.reshape(groups, -1, *out, *kernel_size, weight.shape[1])
        result[part] = col2im(split.permute(1, 2, 3, 4, 5, 0, 6).flatten(5), sizes, layout)
    return result


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """The output's gradient, transposed, times the rows: to (O, C/groups, *kernel_size)."""
    groups, out_channels = layout.groups, gradient.shape[1]
    group_channels = x.shape[1] // groups
    result = Total(x, groups, out_channels // groups, kernel_size[0] * kernel_size[1] * group_channels)
    for part in parts(x, (gradient.shape[2], gradient.shape[3]), kernel_size):
        result.add_product(pixels_of(gradient[part], groups).mT, rows_of(x[part], kernel_size, layout))
    split = result.sum.reshape(out_channels, *kernel_size, group_channels)
    return split.permute(0, 3, 1, 2).to(x.dtype)


def both_gradients(x: Tensor, gradient: Tensor, weight: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
    """The input's and the weight's gradient at stride 1, from the same rows.

    The rows of the output's gradient that the turned kernels weigh for a pixel are those that its value meets in the
    weight's gradient, so that the input need not be laid out a second time.
    """
    groups, group_channels = layout.groups, weight.shape[1]
    kernel_size, sizes = (weight.shape[2], weight.shape[3]), (x.shape[2], x.shape[3])
    back = layout.adjoint(kernel_size)
    kernels = kernels_of(exchange(turn(weight), groups), groups)  # (groups, U V O/groups, C/groups)
    for_x = x.new_empty(len(x), *sizes, x.shape[1]).permute(0, 3, 1, 2)
    for_weight = Total(x, groups, group_channels, kernels.shape[1])
    for part in parts(gradient, sizes, kernel_size):
        rows = rows_of(gradient[part], kernel_size, back)
        torch.bmm(rows, kernels, out=pixels_of(for_x[part], groups))
        for_weight.add_product(pixels_of(x[part], groups).mT, rows)
    split = for_weight.sum.reshape(groups, group_channels, *kernel_size, len(weight) // groups)
    return for_x, turn(split.permute(0, 4, 1, 2, 3).reshape(weight.shape)).to(x.dtype)
