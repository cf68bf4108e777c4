"""Winograd's minimal filtering F(m x m, 3x3): for m = 4 it takes 36 multiplications where the definition takes 144.

Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015, section 4.1: each m x m tile of the result is
A' [(G g G') * (B' d B)] A for the tile d of the input, m + 2 wide, and the kernel g; ' transposes, * multiplies element
by element, and the products are summed over channels before the last transform. It supports 3x3 kernels at stride 1
without dilation. It saves multiplications, not memory traffic, so it wins where products are dear.

The matrices are those of Toom and Cook. Two polynomials are multiplied by evaluating both at as many points as the
product has coefficients, multiplying the values, and interpolating; correlation is that map's transpose.

A small map's tiles are transformed together, by one matrix over all its pixels: with the channels last that is one
product an image, on the map as it lies, with the padding folded into the matrix. A larger map is cut into tiles. A
number that is not finite spoils its tile, and a small map as a whole.
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
WHOLE = 2  # at most so many tiles along each side of a map that is transformed as a whole
NO_SIDES: Sides = ((0, 0), (0, 0))


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return kernel_size == (3, 3) and layout.stride == (1, 1) and layout.dilation == (1, 1)


def values(m: int, coefficients: int) -> Tensor:
    """What evaluates a polynomial at the points of m; at infinity that is its last coefficient."""
    rows = [[point**power for power in range(coefficients)] for point in POINTS[m]]
    return torch.tensor([*rows, [0.0] * (coefficients - 1) + [1.0]], dtype=torch.float64)


@cache
def kernel_matrix(m: int) -> Tensor:
    """What makes G g G' of the nine weights of a kernel g: ((m+2)^2, 9)."""
    g = values(m, 3)
    return torch.kron(g, g)


class Plan(NamedTuple):
    """How maps are cut into patches, and the products with a patch that stand for the transforms of its tiles.

    Attributes:
        counts: patches along a column and a row of a map.
        size, out: height and width of a patch of the input, and of the result.
        padding, over: pixels to add to the input, and to the result's gradient, before they are cut.
        into: (tiles (m+2)^2, pixels of the input): B' d B of each tile d.
        back: (pixels of the result, tiles (m+2)^2): A' p A of each tile's products p.
    """

    counts: Pair
    size: Pair
    out: Pair
    padding: Sides
    over: Sides
    into: Tensor
    back: Tensor


def along(m: int, size: int, out: int, before: int, tiles: int) -> tuple[Tensor, Tensor]:
    """B' and A' along one axis, for each of its tiles: (tiles, m+2, size) and (out, tiles, m+2)."""
    a, b = values(m, m), torch.linalg.inv(values(m, m + 2))
    into, back = b.new_zeros(tiles, m + 2, size), a.new_zeros(out, tiles, m + 2)
    for tile in range(tiles):
        first = tile * m - before  # negative where the tile begins in the padding, whose zeros need no product
        there = slice(max(0, -first), max(0, size - first))
        into[tile, :, max(0, first) : max(0, first + m + 2)] = b.T[:, there]
        back[tile * m : (tile + 1) * m, tile] = a.T[: out - tile * m]
    return into, back


@cache
def plan(m: int, size: Pair, out: Pair, padding: Sides) -> Plan:
    """For maps of that size, that become `out` by a 3x3 kernel once they are padded."""
    rows, columns = -(-out[0] // m), -(-out[1] // m)
    if max(rows, columns) > WHOLE:
        (above, below), (left, right) = padding
        more_rows, more_columns = rows * m - out[0], columns * m - out[1]
        padding = (above, below + more_rows), (left, right + more_columns)
        tile = plan(m, (m + 2, m + 2), (m, m), NO_SIDES)
        return tile._replace(counts=(rows, columns), padding=padding, over=((0, more_rows), (0, more_columns)))
    into_rows, back_rows = along(m, size[0], out[0], padding[0][0], rows)
    into_columns, back_columns = along(m, size[1], out[1], padding[1][0], columns)
    into = torch.einsum("skh,tlw->stklhw", into_rows, into_columns).flatten(4).flatten(0, 3)
    back = torch.einsum("hsk,wtl->hwstkl", back_rows, back_columns).flatten(2).flatten(0, 1)
    return Plan((1, 1), size, out, NO_SIDES, NO_SIDES, into, back)


def tile_of(out: Pair, dtype: torch.dtype) -> int:
    """m, for a result of that height and width; in 16 bits the matrices of m = 4 are too inexact."""
    return 4 if max(out) > 2 and dtype.itemsize >= 4 else 2


def parts(x: Tensor, by: Plan) -> Iterator[slice]:
    """The images in parts whose tiles stay in the processor's cache from one product to the next."""
    return some_at_once(len(x), by.counts[0] * by.counts[1] * len(by.into) * x.shape[1] * x.element_size())


def transform(matrix: Tensor, x: Tensor, size: Pair, step: Pair) -> Tensor:
    """The product of a matrix (rows, pixels) with each patch of x (N, C, H, W): (N patches, rows, C).

    Args:
        size: height and width of a patch.
        step: pixels down and across from one patch to the next.
    """
    patches = x.permute(0, 2, 3, 1).unfold(1, size[0], step[0]).unfold(2, size[1], step[1])
    patches = patches.permute(0, 1, 2, 4, 5, 3).reshape(-1, size[0] * size[1], x.shape[1])  # a view of whole maps
    return torch.bmm(matrix.expand(len(patches), -1, -1), patches)


def by_tile(x: Tensor, m: int, groups: int) -> Tensor:
    """(N patches, tiles (m+2)^2, C) as the factors of products: ((m+2)^2 groups, N patches tiles, C/groups)."""
    return x.view(-1, (m + 2) ** 2 * groups, x.shape[2] // groups).transpose(0, 1)


def kernel_transforms(matrix: Tensor, weight: Tensor, groups: int) -> Tensor:
    """G g G' of each kernel: (O, C/groups, 3, 3) to ((m+2)^2 groups, O/groups, C/groups)."""
    kernels = weight.flatten(2).permute(2, 0, 1)
    transforms = matrix.to(weight) @ kernels.flatten(1)
    return transforms.view(-1, len(weight) // groups, weight.shape[1])


def slide(x: Tensor, kernels: Tensor, m: int, out: Pair, padding: Sides, groups: int) -> Tensor:
    """Transformed kernels ((m+2)^2 groups, C/groups, O/groups) over (N, C, H, W), to (N, O, *out)."""
    by = plan(m, (x.shape[2], x.shape[3]), out, padding)
    (rows, columns), (height, width), channels = by.counts, by.out, groups * kernels.shape[2]
    into, back = by.into.to(x), by.back.to(x)
    y = x.new_empty(len(x), rows * columns, height * width, channels)
    for part in parts(x, by):
        tiles = by_tile(transform(into, pad(x[part], by.padding), by.size, (m, m)), m, groups)
        patches = y[part].flatten(0, 1)
        products = (tiles @ kernels).transpose(0, 1).reshape(len(patches), -1, channels)
        torch.bmm(back.expand(len(patches), -1, -1), products, out=patches)
    y = y.view(-1, rows, columns, height, width, channels).transpose(2, 3)
    y = y.reshape(-1, rows * height, columns * width, channels)[:, : out[0], : out[1]].permute(0, 3, 1, 2)
    return y.contiguous(memory_format=torch.channels_last)  # a norm that follows is ten times as slow on a part


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C/groups, 3, 3) to (N, O, H', W')."""
    out = layout.out_sizes((x.shape[2], x.shape[3]), (3, 3))
    m = tile_of(out, x.dtype)
    kernels = kernel_transforms(kernel_matrix(m), weight, layout.groups).mT
    return slide(x, kernels, m, out, layout.padding, layout.groups)


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """The turned kernels slide over the gradient: (N, O, H', W') to (N, C, *sizes).

    The turn is one of G's columns, and the kernels lead back as they lie, so that no weight is moved.
    """
    m = tile_of(sizes, gradient.dtype)
    kernels = kernel_transforms(kernel_matrix(m).flip(1), weight, layout.groups)
    (above, below), (left, right) = layout.adjoint((3, 3)).padding
    # What the adjoint cuts off no product may see, for it need not be finite.
    gradient = pad(gradient, ((min(0, above), min(0, below)), (min(0, left), min(0, right))))
    padding = (max(0, above), max(0, below)), (max(0, left), max(0, right))
    return slide(gradient, kernels, m, sizes, padding, layout.groups)


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """The transforms' adjoints in reverse: G' [(A e A') * (B' d B)] G, summed over the gradient's tiles e.

    (N, C, H, W) and (N, O, H', W') to (O, C/groups, 3, 3).
    """
    out = (gradient.shape[2], gradient.shape[3])
    m, groups = tile_of(out, x.dtype), layout.groups
    by = plan(m, (x.shape[2], x.shape[3]), out, layout.padding)
    into, back = by.into.to(x), by.back.to(x)
    total = Total(x, (m + 2) ** 2 * groups, gradient.shape[1] // groups, x.shape[1] // groups)
    for part in parts(x, by):
        tiles = transform(into, pad(x[part], by.padding), by.size, (m, m))
        gradients = transform(back.T, pad(gradient[part], by.over), by.out, (m, m))
        total.add_product(by_tile(gradients, m, groups).mT, by_tile(tiles, m, groups))
    kernels = kernel_matrix(m).T.to(total.sum) @ total.sum.view((m + 2) ** 2, -1)  # (9, O C/groups)
    return kernels.view(9, gradient.shape[1], -1).permute(1, 2, 0).unflatten(2, (3, 3)).to(x.dtype)
