"""Winograd's minimal filtering F(m x m, 3x3): for m = 4 it takes 36 multiplications where the definition takes 144.

Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015, section 4.1: each m x m tile of the result is
A' [(G g G') * (B' d B)] A for the tile d of the input, m + 2 wide, and the kernel g; ' transposes, * multiplies element
by element, and the products are summed over channels before the last transform. It supports 3x3 kernels at stride 1
without dilation. It saves multiplications, not memory traffic, so it wins where products are dear.

The matrices are those of Toom and Cook. Two polynomials are multiplied by evaluating both at as many points as the
product has coefficients, multiplying the values, and interpolating; correlation is that map's transpose.
"""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from cnnlab.ops.layout import Layout, Total, pad, some_at_once
from cnnlab.ops.size import Pair, Sides

# By m, and one more at infinity. Farther points make the values differ more in size: with the usual 0, 1, -1, 2, -2
# float32's rounding is twice that of these, which is 1.6e-6 of the result's standard deviation at 256 channels.
POINTS = {2: (0.0, 1.0, -1.0), 4: (0.0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))}


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return kernel_size == (3, 3) and layout.stride == (1, 1) and layout.dilation == (1, 1)


class Matrices(NamedTuple):
    """A, B and G, each as its Kronecker product with itself."""

    a: Tensor
    b: Tensor
    g: Tensor


@cache
def matrices(m: int) -> Matrices:
    """Those of F(m x m, 3x3).

    With the elements of a small matrix x in a row, left x left' is one product with that of `left`.
    """
    points = POINTS[m]

    def values(coefficients: int) -> Tensor:
        """What evaluates a polynomial; at infinity that is its last coefficient."""
        rows = [[point**power for power in range(coefficients)] for point in points]
        return torch.tensor([*rows, [0.0] * (coefficients - 1) + [1.0]], dtype=torch.float64)

    a, b, g = values(m), torch.linalg.inv(values(m + 2)), values(3)
    return Matrices(torch.kron(a, a), torch.kron(b, b), torch.kron(g, g))


def transform(matrix: Tensor, x: Tensor) -> Tensor:
    """The product with small matrices x whose elements lie, row by row, along the first axis."""
    return (matrix.to(x) @ x.flatten(1)).unflatten(1, x.shape[1:])


def tile_of(out: Pair, dtype: torch.dtype) -> int:
    """m, for a result of that height and width; in 16 bits the matrices of m = 4 are too inexact."""
    return 4 if max(out) > 2 and dtype.itemsize >= 4 else 2


def counts_of(out: Pair, m: int) -> Pair:
    """How many tiles cover the result's rows and columns."""
    return -(-out[0] // m), -(-out[1] // m)


def over(out: Pair, m: int) -> Sides:
    """The rows and columns by which the last tiles reach over the result."""
    rows, columns = counts_of(out, m)
    return (0, rows * m - out[0]), (0, columns * m - out[1])


def tiles_of(x: Tensor, size: int, step: int, groups: int) -> Tensor:
    """Tiles of `size` x `size` pixels, `step` apart: (N, C, H, W) to (size size, groups, N tiles, C/groups)."""
    tiles = x.permute(0, 2, 3, 1).unfold(1, size, step).unfold(2, size, step)  # (N, rows, columns, C, size, size)
    return tiles.permute(4, 5, 0, 1, 2, 3).reshape(size * size, -1, groups, x.shape[1] // groups).transpose(1, 2)


def input_tiles(x: Tensor, out: Pair, m: int, layout: Layout) -> Tensor:
    """B' d B of each tile d: (N, C, H, W) to ((m+2)^2, groups, N tiles, C/groups)."""
    x = pad(pad(x, layout.padding), over(out, m))
    return transform(matrices(m).b.T, tiles_of(x, m + 2, m, layout.groups))


def parts(x: Tensor, out: Pair, m: int) -> Iterator[slice]:
    """The images in parts whose tiles stay in the processor's cache from one product to the next."""
    rows, columns = counts_of(out, m)
    return some_at_once(len(x), (m + 2) ** 2 * rows * columns * x.shape[1] * x.element_size())


def kernel_transforms(matrix: Tensor, weight: Tensor, groups: int) -> Tensor:
    """G g G' of each kernel: (O, C/groups, 3, 3) to ((m+2)^2, groups, O/groups, C/groups)."""
    return transform(matrix, weight.flatten(2).permute(2, 0, 1)).unflatten(1, (groups, -1))


def slide(x: Tensor, kernels: Tensor, m: int, out: Pair, layout: Layout) -> Tensor:
    """Transformed kernels ((m+2)^2, groups, C/groups, O/groups) over (N, C, H, W), to (N, O, *out)."""
    rows, columns = counts_of(out, m)
    channels = layout.groups * kernels.shape[-1]
    y = x.new_empty(len(x), rows, m, columns, m, channels)
    for part in parts(x, out, m):
        products = input_tiles(x[part], out, m, layout) @ kernels  # ((m+2)^2, groups, N tiles, O/groups)
        tiles = transform(matrices(m).a.T, products).transpose(1, 2)  # (m m, N tiles, groups, O/groups)
        y[part] = tiles.reshape(m, m, -1, rows, columns, channels).permute(2, 3, 0, 4, 1, 5)
    y = y.reshape(len(x), m * rows, m * columns, channels).permute(0, 3, 1, 2)[:, :, : out[0], : out[1]]
    return y.contiguous(memory_format=torch.channels_last)  # a norm that follows is ten times as slow on a part


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C/groups, 3, 3) to (N, O, H', W')."""
    out = layout.out_sizes((x.shape[2], x.shape[3]), (3, 3))
    m = tile_of(out, x.dtype)
    kernels = kernel_transforms(matrices(m).g, weight, layout.groups).mT
    return slide(x, kernels, m, out, layout)


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """The turned kernels slide over the gradient: (N, O, H', W') to (N, C, *sizes).

    The turn is one of G's columns, and the kernels lead back as they lie, so that no weight is moved.
    """
    m = tile_of(sizes, gradient.dtype)
    kernels = kernel_transforms(matrices(m).g.flip(1), weight, layout.groups)
    return slide(gradient, kernels, m, sizes, layout.adjoint((3, 3)))


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """The transforms' adjoints in reverse: G' [(A e A') * (B' d B)] G, summed over the gradient's tiles e.

    (N, C, H, W) and (N, O, H', W') to (O, C/groups, 3, 3).
    """
    out = (gradient.shape[2], gradient.shape[3])
    m, groups = tile_of(out, x.dtype), layout.groups
    total = Total(x, (m + 2) ** 2 * groups, gradient.shape[1] // groups, x.shape[1] // groups)
    for part in parts(x, out, m):
        gradients = transform(matrices(m).a, tiles_of(pad(gradient[part], over(out, m)), m, m, groups))
        inputs = input_tiles(x[part], out, m, layout)
        total.add_product(gradients.flatten(0, 1).mT, inputs.flatten(0, 1))
    kernels = transform(matrices(m).g.T, total.sum.unflatten(0, (-1, groups))).permute(1, 2, 3, 0)
    return kernels.flatten(0, 1).unflatten(2, (3, 3)).to(x.dtype)
