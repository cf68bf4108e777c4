"""Winograd's minimal filtering F(2x2, 3x3): 16 multiplications where the definition takes 36.

Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015, section 4.1: each 2x2 tile of the result is
A' [(G g G') * (B' d B)] A for the 4x4 tile d of the input and the kernel g; ' transposes, * multiplies element by
element, and the products are summed over channels before the last transform. It supports 3x3 kernels at stride 1
without dilation. It saves multiplications, not memory traffic, so it wins where products are dear.
"""

import torch
from torch import Tensor

from cnnlab.ops.layout import Layout, exchange, pad, turn
from cnnlab.ops.size import Pair

A = ((1, 0), (1, 1), (1, -1), (0, -1))
B = ((1, 0, 0, 0), (0, 1, -1, 1), (-1, 1, 1, 0), (0, 0, 0, -1))
G = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return kernel_size == (3, 3) and layout.stride == (1, 1) and layout.dilation == (1, 1)


def transform(left: tuple[tuple[float, ...], ...], x: Tensor) -> Tensor:
    """left x left' over the last two axes."""
    matrix = torch.tensor(left, dtype=x.dtype, device=x.device)
    return matrix @ x @ matrix.mT


def transposed(matrix: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    return tuple(zip(*matrix, strict=True))


def input_tiles(x: Tensor, out: Pair, layout: Layout) -> Tensor:
    """B' d B of each tile d: (N, C, H, W) to (16, groups, N tiles, C/groups)."""
    below, right = out[0] % 2, out[1] % 2  # an odd result has a last tile that is half outside
    x = pad(pad(x, layout.padding), ((0, below), (0, right)))
    tiles = x.unfold(2, 4, 2).unfold(3, 4, 2)  # (N, C, rows, columns, 4, 4)
    return to_products(transform(transposed(B), tiles), layout.groups)


def to_products(tiles: Tensor, groups: int) -> Tensor:
    """(N, C, rows, columns, 4, 4) to (16, groups, N rows columns, C/groups)."""
    split = tiles.flatten(4).unflatten(1, (groups, -1))
    return split.permute(5, 1, 0, 3, 4, 2).flatten(2, 4)


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C/groups, 3, 3) to (N, O, H', W')."""
    height, width = layout.out_sizes((x.shape[2], x.shape[3]), (3, 3))
    rows, columns = (height + 1) // 2, (width + 1) // 2
    kernels = transform(G, weight).flatten(2).unflatten(0, (layout.groups, -1)).permute(3, 0, 2, 1)
    products = input_tiles(x, (height, width), layout) @ kernels  # (16, groups, N tiles, O/groups)
    tiles = products.unflatten(2, (len(x), rows, columns)).permute(2, 1, 5, 3, 4, 0).flatten(1, 2).unflatten(4, (4, 4))
    y = transform(transposed(A), tiles)  # (N, O, rows, columns, 2, 2)
    return y.transpose(3, 4).reshape(len(x), len(weight), 2 * rows, 2 * columns)[:, :, :height, :width]


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """The turned kernels slide over the gradient: (N, O, H', W') to (N, C, *sizes)."""
    return forward(gradient, exchange(turn(weight), layout.groups), layout.adjoint((3, 3)))


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """The transforms' adjoints in reverse: G' [(A e A') * (B' d B)] G, summed over the gradient's tiles e.

    (N, C, H, W) and (N, O, H', W') to (O, C/groups, 3, 3).
    """
    height, width = gradient.shape[2:]
    gradient = pad(gradient, ((0, height % 2), (0, width % 2)))
    tiles = gradient.unfold(2, 2, 2).unfold(3, 2, 2)  # (N, O, rows, columns, 2, 2)
    gradients = to_products(transform(A, tiles), layout.groups)
    products = gradients.mT @ input_tiles(x, (height, width), layout)  # (16, groups, O/groups, C/groups)
    return transform(transposed(G), products.permute(1, 2, 3, 0).flatten(0, 1).unflatten(2, (4, 4)))
