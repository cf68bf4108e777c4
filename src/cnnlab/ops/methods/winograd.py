"""Winograd's minimal filtering F(m x m, 3x3): for m = 4, a tile takes 36 multiplications instead of 144.

Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015, section 4.1. For an input tile d of width
m + 2 and a kernel g, the m x m tile of the output is

    A' [(G g G') * (B' d B)] A

where ' transposes, * multiplies element by element, and the products are summed over channels before the last
transform. This method supports 3x3 kernels at stride 1 without dilation. It saves multiplications and not memory
traffic, so it is fast if the products dominate the cost.

The matrices are those of Toom and Cook: to multiply two polynomials, evaluate both at as many points as the product has
coefficients, multiply the values, and interpolate. Correlation is the transpose of that map.

All tiles of a small map are transformed together by one matrix over its pixels, which includes the padding. With the
channels last, that is one product per image without a copy. Larger maps are cut into tiles. A non-finite number makes
its tile non-finite, and a small map completely.
"""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from cnnlab.ops.layout import Layout, MatrixSum, batch_parts, height_width, pad
from cnnlab.ops.size import Pair, Sides

# The evaluation points for each m, in addition to infinity. With these points, the rounding error in float32 is 1.6e-6
# of the output's standard deviation at 256 channels; it is twice as large with the usual 0, 1, -1, 2, -2.
POINTS = {2: (0.0, 1.0, -1.0), 4: (0.0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))}
FEW_TILES = 2  # along each side of a map, up to which all its tiles are transformed together
NO_PADDING: Sides = ((0, 0), (0, 0))


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return kernel_size == (3, 3) and layout.stride == (1, 1) and layout.dilation == (1, 1)


def evaluation_matrix(m: int, coefficients: int) -> Tensor:
    """Maps a polynomial's coefficients to its values at the points of m; at infinity, to its last coefficient."""
    rows = [[point**power for power in range(coefficients)] for point in POINTS[m]]
    return torch.tensor([*rows, [0.0] * (coefficients - 1) + [1.0]], dtype=torch.float64)


@cache
def kernel_matrix(m: int) -> Tensor:
    """Maps the nine weights of a kernel g to G g G': ((m+2)^2, 9)."""
    g = evaluation_matrix(m, 3)
    return torch.kron(g, g)


class Plan(NamedTuple):
    """How to cut maps into patches, and the matrices that transform all tiles of a patch.

    Attributes:
        counts: number of patches, vertically and horizontally.
        size, out: height and width of a patch of the input and of the output.
        padding, out_padding: pixels to add to the input and to the output's gradient before cutting.
        forward: (tiles (m+2)^2, input pixels), computes B' d B for each tile d.
        inverse: (output pixels, tiles (m+2)^2), computes A' p A for each tile's products p.
    """

    counts: Pair
    size: Pair
    out: Pair
    padding: Sides
    out_padding: Sides
    forward: Tensor
    inverse: Tensor


def axis_transforms(m: int, size: int, out: int, before: int, tiles: int) -> tuple[Tensor, Tensor]:
    """B' and A' along one axis for each tile: (tiles, m+2, size) and (out, tiles, m+2)."""
    a, b = evaluation_matrix(m, m), torch.linalg.inv(evaluation_matrix(m, m + 2))
    forward, inverse = b.new_zeros(tiles, m + 2, size), a.new_zeros(out, tiles, m + 2)
    for tile in range(tiles):
        first = tile * m - before  # negative if the tile starts in the padding, whose zeros are skipped
        inside = slice(max(0, -first), max(0, size - first))
        forward[tile, :, max(0, first) : max(0, first + m + 2)] = b.T[:, inside]
        inverse[tile * m : (tile + 1) * m, tile] = a.T[: out - tile * m]
    return forward, inverse


@cache
def make_plan(m: int, size: Pair, out: Pair, padding: Sides) -> Plan:
    """The plan for maps of a given input and output size."""
    rows, columns = -(-out[0] // m), -(-out[1] // m)
    if max(rows, columns) > FEW_TILES:
        (above, below), (left, right) = padding
        more_rows, more_columns = rows * m - out[0], columns * m - out[1]
        padding = (above, below + more_rows), (left, right + more_columns)
        tile = make_plan(m, (m + 2, m + 2), (m, m), NO_PADDING)
        return tile._replace(counts=(rows, columns), padding=padding, out_padding=((0, more_rows), (0, more_columns)))
    forward_rows, inverse_rows = axis_transforms(m, size[0], out[0], padding[0][0], rows)
    forward_columns, inverse_columns = axis_transforms(m, size[1], out[1], padding[1][0], columns)
    forward = torch.einsum("skh,tlw->stklhw", forward_rows, forward_columns).flatten(4).flatten(0, 3)
    inverse = torch.einsum("hsk,wtl->hwstkl", inverse_rows, inverse_columns).flatten(2).flatten(0, 1)
    return Plan((1, 1), size, out, NO_PADDING, NO_PADDING, forward, inverse)


def tile_size(out: Pair, dtype: torch.dtype) -> int:
    """m for an output of height and width `out`; the matrices of m = 4 are too inexact in 16 bits."""
    return 4 if max(out) > 2 and dtype.itemsize >= 4 else 2


def parts(x: Tensor, plan: Plan) -> Iterator[slice]:
    """Parts of the batch whose tiles stay in the CPU's cache from one product to the next."""
    return batch_parts(len(x), plan.counts[0] * plan.counts[1] * len(plan.forward) * x.shape[1] * x.element_size())


def transform(matrix: Tensor, x: Tensor, size: Pair, step: Pair) -> Tensor:
    """Multiply a matrix (rows, pixels) by each patch of x (N, C, H, W): (N patches, rows, C).

    Args:
        size: height and width of a patch.
        step: distance between patches, vertically and horizontally.
    """
    patches = x.permute(0, 2, 3, 1).unfold(1, size[0], step[0]).unfold(2, size[1], step[1])
    patches = patches.permute(0, 1, 2, 4, 5, 3).reshape(
        -1, size[0] * size[1], x.shape[1]
    )  # a view if each patch is a complete map
    return torch.bmm(matrix.expand(len(patches), -1, -1), patches)


def tile_matrices(x: Tensor, m: int, groups: int) -> Tensor:
    """(N patches, tiles (m+2)^2, C) to matrices ((m+2)^2 groups, N patches tiles, C/groups)."""
    return x.view(-1, (m + 2) ** 2 * groups, x.shape[2] // groups).transpose(0, 1)


def kernel_transforms(matrix: Tensor, weight: Tensor, groups: int) -> Tensor:
    """G g G' of each kernel: (O, C/groups, 3, 3) to ((m+2)^2 groups, O/groups, C/groups)."""
    kernels = weight.flatten(2).permute(2, 0, 1)
    transforms = matrix.to(weight) @ kernels.flatten(1)
    return transforms.view(-1, len(weight) // groups, weight.shape[1])


def slide(x: Tensor, kernels: Tensor, m: int, out: Pair, padding: Sides, groups: int) -> Tensor:
    """Apply transformed kernels ((m+2)^2 groups, C/groups, O/groups) to (N, C, H, W); returns (N, O, *out)."""
    plan = make_plan(m, height_width(x), out, padding)
    (rows, columns), (height, width), channels = plan.counts, plan.out, groups * kernels.shape[2]
    to_tiles, from_tiles = plan.forward.to(x), plan.inverse.to(x)
    y = x.new_empty(len(x), rows * columns, height * width, channels)
    for part in parts(x, plan):
        tiles = tile_matrices(transform(to_tiles, pad(x[part], plan.padding), plan.size, (m, m)), m, groups)
        patches = y[part].flatten(0, 1)
        products = (tiles @ kernels).transpose(0, 1).reshape(len(patches), -1, channels)
        torch.bmm(from_tiles.expand(len(patches), -1, -1), products, out=patches)
    y = y.view(-1, rows, columns, height, width, channels).transpose(2, 3)
    y = y.reshape(-1, rows * height, columns * width, channels)[:, : out[0], : out[1]].permute(0, 3, 1, 2)
    return y.contiguous(
        memory_format=torch.channels_last
    )  # a batch norm is ten times as slow on a view of a larger tensor


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C/groups, 3, 3) to (N, O, H', W')."""
    out = layout.out_sizes(height_width(x), (3, 3))
    m = tile_size(out, x.dtype)
    kernels = kernel_transforms(kernel_matrix(m), weight, layout.groups).mT
    return slide(x, kernels, m, out, layout.padding, layout.groups)


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """Slide the flipped kernels over the gradient: (N, O, H', W') and (O, C/groups, 3, 3) to (N, C, *sizes).

    Flipping the columns of the kernel matrix flips the kernels without a copy.
    """
    m = tile_size(sizes, gradient.dtype)
    kernels = kernel_transforms(kernel_matrix(m).flip(1), weight, layout.groups)
    (above, below), (left, right) = layout.adjoint((3, 3)).padding
    # Crop first: the cropped gradient may be non-finite and must not enter a product.
    gradient = pad(gradient, ((min(0, above), min(0, below)), (min(0, left), min(0, right))))
    padding = (max(0, above), max(0, below)), (max(0, left), max(0, right))
    return slide(gradient, kernels, m, sizes, padding, layout.groups)


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """Apply the adjoint transforms in reverse: G' [(A e A') * (B' d B)] G, summed over the gradient's tiles e.

    (N, C, H, W) and (N, O, H', W') to (O, C/groups, 3, 3).
    """
    out = height_width(gradient)
    m, groups = tile_size(out, x.dtype), layout.groups
    plan = make_plan(m, height_width(x), out, layout.padding)
    to_tiles, from_tiles = plan.forward.to(x), plan.inverse.to(x)
    total = MatrixSum(x, (m + 2) ** 2 * groups, gradient.shape[1] // groups, x.shape[1] // groups)
    for part in parts(x, plan):
        tiles = transform(to_tiles, pad(x[part], plan.padding), plan.size, (m, m))
        gradients = transform(from_tiles.T, pad(gradient[part], plan.out_padding), plan.out, (m, m))
        total.add_product(tile_matrices(gradients, m, groups).mT, tile_matrices(tiles, m, groups))
    kernels = kernel_matrix(m).T.to(total.sum) @ total.sum.view((m + 2) ** 2, -1)  # (9, O C/groups)
    return kernels.view(9, gradient.shape[1], -1).permute(1, 2, 0).unflatten(2, (3, 3)).to(x.dtype)
