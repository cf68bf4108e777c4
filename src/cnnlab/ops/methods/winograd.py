"""Winograd's minimal filtering F(2x2, 3x3): 16 multiplications where the definition takes 36.

Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015, section 4.1: each 2x2 tile of the result is
A' [(G g G') * (B' d B)] A for the 4x4 tile d of the input and the kernel g; ' transposes, * multiplies element by
element, and the products are summed over channels before the last transform. It supports 3x3 kernels at stride 1
without dilation. It saves multiplications, not memory traffic, so it wins where products are dear.
"""

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from cnnlab.ops.layout import Layout, exchange, pad, some_at_once, turn
from cnnlab.ops.size import Pair

Matrix = tuple[tuple[float, ...], ...]

A = ((1, 0), (1, 1), (1, -1), (0, -1))
B = ((1, 0, 0, 0), (0, 1, -1, 1), (-1, 1, 1, 0), (0, 0, 0, -1))
G = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return kernel_size == (3, 3) and layout.stride == (1, 1) and layout.dilation == (1, 1)


def transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def transform(left: Matrix, x: Tensor) -> Tensor:
    """left x left' for the small matrices x whose elements lie, row by row, along the first axis: (n n, ...).

    With the elements in a row it is one product with the Kronecker product of `left` with itself.
    """
    matrix = torch.tensor(left, dtype=x.dtype, device=x.device)
    return (torch.kron(matrix, matrix) @ x.flatten(1)).unflatten(1, x.shape[1:])


def tiles_of(x: Tensor, size: int, counts: Pair, groups: int) -> Tensor:
    """Tiles of `size` x `size` pixels at steps of 2: (N, C, H, W) to (size size, groups, N tiles, C/groups)."""
    rows, columns = counts
    x = x.permute(0, 2, 3, 1)  # (N, H, W, C)
    elements = [
        x[:, i : i + 2 * rows - 1 : 2, j : j + 2 * columns - 1 : 2] for i, j in product(range(size), range(size))
    ]
    return torch.stack(elements).flatten(1, 3).unflatten(2, (groups, -1)).transpose(1, 2)


def input_tiles(x: Tensor, out: Pair, layout: Layout) -> Tensor:
    """B' d B of each tile d: (N, C, H, W) to (16, groups, N tiles, C/groups)."""
    x = pad(pad(x, layout.padding), odd(out))
    return transform(transposed(B), tiles_of(x, 4, halves(out), layout.groups))


def halves(out: Pair) -> Pair:
    """How many tiles cover the result's rows and columns."""
    return (out[0] + 1) // 2, (out[1] + 1) // 2


def odd(out: Pair) -> tuple[Pair, Pair]:
    """The row and the column by which the last tiles of an odd result reach over it."""
    return (0, out[0] % 2), (0, out[1] % 2)


def parts(x: Tensor, out: Pair) -> Iterator[slice]:
    """The images in parts whose tiles stay in the processor's cache from one product to the next."""
    rows, columns = halves(out)
    return some_at_once(len(x), 16 * rows * columns * x.shape[1] * x.element_size())


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C/groups, 3, 3) to (N, O, H', W')."""
    height, width = layout.out_sizes((x.shape[2], x.shape[3]), (3, 3))
    rows, columns = halves((height, width))
    kernels = transform(G, weight.flatten(2).permute(2, 0, 1)).unflatten(1, (layout.groups, -1)).mT
    y = x.new_empty(len(x), rows, 2, columns, 2, len(weight))
    for part in parts(x, (height, width)):
        products = input_tiles(x[part], (height, width), layout) @ kernels  # (16, groups, N tiles, O/groups)
        tiles = transform(transposed(A), products).transpose(1, 2)  # (4, N tiles, groups, O/groups)
        y[part] = tiles.reshape(2, 2, -1, rows, columns, len(weight)).permute(2, 3, 0, 4, 1, 5)
    return y.reshape(len(x), 2 * rows, 2 * columns, len(weight)).permute(0, 3, 1, 2)[:, :, :height, :width]


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """The turned kernels slide over the gradient: (N, O, H', W') to (N, C, *sizes)."""
    return forward(gradient, exchange(turn(weight), layout.groups), layout.adjoint((3, 3)))


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """The transforms' adjoints in reverse: G' [(A e A') * (B' d B)] G, summed over the gradient's tiles e.

    (N, C, H, W) and (N, O, H', W') to (O, C/groups, 3, 3).
    """
    out = (gradient.shape[2], gradient.shape[3])
    groups = layout.groups
    products = x.new_zeros(
        16, groups, gradient.shape[1] // groups, x.shape[1] // groups, dtype=torch.promote_types(x.dtype, torch.float32)
    )
    for part in parts(x, out):
        gradients = transform(A, tiles_of(pad(gradient[part], odd(out)), 2, halves(out), groups))
        products += gradients.mT @ input_tiles(x[part], out, layout)
    kernels = transform(transposed(G), products).permute(1, 2, 3, 0)
    return kernels.flatten(0, 1).unflatten(2, (3, 3)).to(x.dtype)
