"""How large a map is after a convolution or a pooling: the one place of this arithmetic.

Two notations are in use. PyTorch and the papers count the padding P of each side, and write
(N + 2P - F) / S + 1, rounded down. Textbooks also count the rows p that are added in total, above and below together,
and write (n - k + p + s) / s, rounded down. With p = 2P they are the same number; only the second can say an odd p,
which an even kernel needs to keep the size. Here a padding is a number for each side, or the pair (before, after).
"""

Pair = tuple[int, int]
Sides = tuple[Pair, Pair]  # ((above, below), (left, right))


def pair(value: int | Pair) -> Pair:
    """One number for both axes, or one for each: vertical, horizontal."""
    if isinstance(value, int):
        return value, value
    vertical, horizontal = value
    return vertical, horizontal


def extent(kernel_size: int, dilation: int = 1) -> int:
    """Pixels from a kernel's first element to its last, both counted."""
    return dilation * (kernel_size - 1) + 1


def out_size(
    size: int,
    kernel_size: int,
    stride: int = 1,
    padding: int | Pair = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """The number of positions of a kernel along one axis.

    Args:
        size: pixels of the input.
        padding: pixels added on each side, or (before, after).
        ceil_mode: rounds up, for a last window that is partly outside; it must begin inside the input or before it.

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
            f"the kernel covers {extent(kernel_size, dilation)} pixels, the padded input has {size + before + after}"
        )
    return positions


def size_through(size: int, *layers: tuple[int, int, int]) -> int:
    """The size after several layers, each (kernel_size, stride, padding)."""
    for kernel_size, stride, padding in layers:
        size = out_size(size, kernel_size, stride, padding)
    return size


def same_padding(kernel_size: int, dilation: int = 1) -> Pair:
    """The padding (before, after) that keeps the size at stride 1; an even kernel needs one more after than before."""
    total = extent(kernel_size, dilation) - 1
    return total // 2, total - total // 2


def full_padding(kernel_size: int, dilation: int = 1) -> Pair:
    """The padding with which every overlap of kernel and input counts, that of a single pixel too."""
    total = extent(kernel_size, dilation) - 1
    return total, total


def sides(padding: int | Pair | str, kernel_size: Pair, stride: Pair, dilation: Pair) -> Sides:
    """The pixels added on each side, of `valid`, `same`, `full`, a number, or a number for each axis.

    Raises:
        ValueError: no such padding, or `same` with a stride, which has no one meaning.
    """
    if isinstance(padding, str):
        words = {"valid": lambda kernel_size, dilation: (0, 0), "same": same_padding, "full": full_padding}
        if padding not in words:
            raise ValueError(f"padding must be a number, a pair or one of {list(words)}, got {padding!r}")
        if padding == "same" and stride != (1, 1):
            raise ValueError(f"padding='same' needs stride 1, got {stride}")
        vertical, horizontal = (
            words[padding](size, axis_dilation) for size, axis_dilation in zip(kernel_size, dilation, strict=True)
        )
        return vertical, horizontal
    rows, columns = pair(padding)
    if min(rows, columns) < 0:
        raise ValueError(f"padding must be at least 0, got {padding}")
    return (rows, rows), (columns, columns)
