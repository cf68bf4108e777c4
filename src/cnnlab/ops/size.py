"""The output size of a convolution or a pooling; all other code calls these functions.

There are two notations. PyTorch and most papers count the padding P on each side: floor((N + 2P - F) / S) + 1. Some
textbooks count the total padding p on both sides: floor((n - k + p + s) / s). They agree for p = 2P, but only the
second can express an odd p, which an even kernel needs to preserve the size. Here, padding is a number for each side or
a pair (before, after).
"""

Pair = tuple[int, int]
Sides = tuple[Pair, Pair]  # ((above, below), (left, right))


def pair(value: int | Pair) -> Pair:
    """Expand a number to (vertical, horizontal)."""
    if isinstance(value, int):
        return value, value
    vertical, horizontal = value
    return vertical, horizontal


def extent(kernel_size: int, dilation: int = 1) -> int:
    """Pixels that a dilated kernel covers along one axis."""
    return dilation * (kernel_size - 1) + 1


def out_size(
    size: int,
    kernel_size: int,
    stride: int = 1,
    padding: int | Pair = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Number of kernel positions along one axis.

    Args:
        size: pixels of the input.
        padding: pixels added on each side, or (before, after).
        ceil_mode: also count a last window that extends beyond the input, if it starts inside the input or its left
            padding.

    Raises:
        ValueError: the kernel does not fit.
    """
    before, after = pair(padding)
    room = size + before + after - extent(kernel_size, dilation)
    positions = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (positions - 1) * stride >= size + before:
        positions -= 1
    if positions < 1:
        raise ValueError(
            f"kernel_size must fit into the padded input: the kernel covers {extent(kernel_size, dilation)} pixels, "
            f"the padded input has {size + before + after}"
        )
    return positions


def size_through(size: int, *layers: tuple[int, int, int]) -> int:
    """Output size of several layers, each given as (kernel_size, stride, padding)."""
    for kernel_size, stride, padding in layers:
        size = out_size(size, kernel_size, stride, padding)
    return size


def same_padding(kernel_size: int, dilation: int = 1) -> Pair:
    """Padding (before, after) that preserves the size at stride 1; an even kernel gets the extra pixel after."""
    total = extent(kernel_size, dilation) - 1
    return total // 2, total - total // 2


def full_padding(kernel_size: int, dilation: int = 1) -> Pair:
    """Padding (before, after) that includes every position at which kernel and input overlap."""
    total = extent(kernel_size, dilation) - 1
    return total, total


def sides(padding: int | Pair | str, kernel_size: Pair, stride: Pair, dilation: Pair) -> Sides:
    """Pixels to add on each side for `valid`, `same`, `full`, a number, or a number for each axis.

    Raises:
        ValueError: the padding is unknown or negative, or `same` is combined with a stride.
    """
    if isinstance(padding, str):
        names = {"valid": lambda kernel_size, dilation: (0, 0), "same": same_padding, "full": full_padding}
        if padding not in names:
            raise ValueError(f"padding must be a number, a pair or one of {list(names)}, got {padding!r}")
        if padding == "same" and stride != (1, 1):
            raise ValueError(f"stride must be 1 with padding='same', got {stride}")
        vertical, horizontal = map(names[padding], kernel_size, dilation)
        return vertical, horizontal
    rows, columns = pair(padding)
    if min(rows, columns) < 0:
        raise ValueError(f"padding must be at least 0, got {padding}")
    return (rows, rows), (columns, columns)
