"""Padding and stride: where the windows of a kernel lie, and how large the result is for it."""

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from cnnlab import ops
from cnnlab.figures.maps import draw_map, mark
from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.finding import Finding, Settings
from cnnlab.ops.layout import pad

SIZE, WANTED = 8, 4
KERNELS, STRIDES, PADDINGS = (1, 2, 3, 4, 5, 7), (1, 2, 3), (0, 1, 2, 3)
WORDS = ("valid", "same", "full")
STEPS = (3, 2)  # down, across


def result_size(kernel: int, stride: int, padding: int) -> int:
    """The size of what convolution makes of SIZE x SIZE pixels, by making it."""
    result = ops.conv2d(torch.zeros(1, SIZE, SIZE), torch.zeros(1, 1, kernel, kernel), stride=stride, padding=padding)
    return result.shape[1]


def per_side(kernel: int, stride: int, padding: int) -> int:
    """(N + 2P - F) / S + 1, rounded down, with the padding P of each side."""
    return (SIZE + 2 * padding - kernel) // stride + 1


def in_total(kernel: int, stride: int, padded: int) -> int:
    """(n - k + p + s) / s, rounded down, with the padding p of both sides together."""
    return (SIZE - kernel + padded + stride) // stride


def experiment(settings: Settings) -> Finding:
    sizes = {
        (kernel, stride, padding): result_size(kernel, stride, padding)
        for kernel in KERNELS for stride in STRIDES for padding in PADDINGS
    }  # fmt: skip
    ways = [way for way, size in sizes.items() if size == WANTED]
    agree = all(
        per_side(kernel, stride, padding) == in_total(kernel, stride, 2 * padding) == ops.out_size(SIZE, *way) == size
        for way, size in sizes.items()
        for kernel, stride, padding in [way]
    )
    words = {
        word: ops.conv2d(torch.zeros(1, SIZE, SIZE), torch.zeros(1, 1, 3, 3), padding=word).shape[1] for word in WORDS
    }
    x, kernel = torch.arange(9.0).reshape(3, 3), torch.arange(4.0).reshape(2, 2)
    uneven = ops.conv2d(x[None], kernel[None, None], stride=STEPS, padding=1)[0]
    title = (
        f"{SIZE} x {SIZE} pixels become {WANTED} x {WANTED} in {len(ways)} ways of kernel, stride and padding, "
        "such as 3 x 3 with stride 2 and padding 1"
    )
    values = {
        "sizes": [{"kernel": k, "stride": s, "padding": p, "size": size} for (k, s, p), size in sizes.items()],
        "formulas agree": agree,
        "words": words,
        "uneven": uneven.tolist(),
    }
    text = describe(sizes, words, agree, uneven)
    numbers = {"padded": pad(x, ((1, 1), (1, 1))), "kernel": kernel, "result": uneven}
    return Finding(title, text, values, draw(sizes, words, numbers))


def describe(sizes: dict[tuple[int, int, int], int], words: dict[str, int], agree: bool, uneven: Tensor) -> str:
    """The table of sizes, both formulas at work, and the uneven stride."""
    head = "".join(f"{f'stride {stride}':<{4 * len(PADDINGS) + 2}}" for stride in STRIDES)
    paddings = "  ".join("".join(f"{f'P={padding}':>4}" for padding in PADDINGS) for _ in STRIDES)
    rows = [
        f"{kernel:>4}  "
        + "  ".join("".join(f"{sizes[kernel, stride, padding]:>4}" for padding in PADDINGS) for stride in STRIDES)
        for kernel in KERNELS
    ]
    return "\n".join(
        [
            f"rows and columns of the result, of {SIZE} x {SIZE}, by kernel, stride and padding P of each side:",
            f"{'':8}{head}".rstrip(),
            f"{'F':>4}  {paddings}",
            *rows,
            "",
            f"padding of each side P:       (N + 2P - F) / S + 1, rounded down: "
            f"({SIZE} + 2*1 - 3) / 2 + 1 = {per_side(3, 2, 1)}",
            f"padding of both together p:   (n - k + p + s) / s, rounded down:  "
            f"({SIZE} - 3 + 2 + 2) / 2  = {in_total(3, 2, 2)}",
            f"both are what the code makes, in {len(sizes)} of {len(sizes)} cases" if agree else "they DISAGREE",
            "of a 3 x 3 kernel: " + ", ".join(f"{word} {size} x {size}" for word, size in words.items()),
            "",
            f"stride {STEPS[0]} down and {STEPS[1]} across, padding 1, of 0...8 (3 x 3) with 0...3 (2 x 2):",
            *("  " + " ".join(f"{value:2.0f}" for value in row) for row in uneven.tolist()),
        ]
    )


@styled
def draw(sizes: dict[tuple[int, int, int], int], words: dict[str, int], uneven: dict[str, Tensor]) -> Figure:
    """The windows of four layouts above; below, the uneven stride in numbers and the table of sizes."""
    drawn = figure(12, 7.5)
    upper, lower = drawn.subfigures(2, 1, squeeze=False, height_ratios=(1, 0.9), hspace=0.04).ravel()
    layouts = [(word, 1, padding) for word, padding in zip(WORDS, (0, 1, 2), strict=True)]
    for axes, (word, stride, padding) in zip(upper.subplots(1, 4), [*layouts, ("stride 2", 2, 1)], strict=True):
        size = per_side(3, stride, padding)
        assert word not in words or words[word] == size
        draw_windows(axes, stride, padding, size)
        axes.set_title(f"{word}: {SIZE} x {SIZE} to {size} x {size}\nkernel 3, padding {padding}", fontsize=10)
    left, right = lower.subfigures(1, 2, squeeze=False, width_ratios=(1, 1.15)).ravel()
    before, between, after = left.subplots(1, 3, width_ratios=(5, 2, 2))
    draw_map(before, uneven["padded"], f"stride {STEPS[0]} down, {STEPS[1]} across, padding 1")
    draw_map(between, uneven["kernel"], "kernel")
    draw_map(after, uneven["result"], "result")
    for number, (i, j) in enumerate((i, j) for i in range(2) for j in range(2)):
        mark(before, STEPS[0] * i, STEPS[1] * j, (2, 2), PALETTE[number + 1])
        mark(after, i, j, (1, 1), PALETTE[number + 1])
    draw_table(right.subplots(), sizes)
    return drawn


def draw_windows(axes: Axes, stride: int, padding: int, size: int) -> None:
    """The padded image, a dot at the middle of each window, the first two windows and the last."""
    reach = SIZE + 2 * padding
    axes.add_patch(Rectangle((-padding, -padding), reach, reach, facecolor="#eeeeee", edgecolor="none"))
    axes.add_patch(Rectangle((0, 0), SIZE, SIZE, facecolor="#bcd9ea", edgecolor="none"))
    for line in range(-padding, SIZE + padding + 1):
        axes.plot([-padding, SIZE + padding], [line, line], color="white", linewidth=1)
        axes.plot([line, line], [-padding, SIZE + padding], color="white", linewidth=1)
    middles = [stride * i - padding + 1.5 for i in range(size)]
    axes.scatter(middles * size, [y for y in middles for _ in middles], s=14, color="#333333", zorder=3)
    last = middles[-1] - 1.5
    corners = ((-padding, -padding), (stride - padding, -padding), (last, last))
    for (x, y), color in zip(corners, (PALETTE[1], PALETTE[2], PALETTE[3]), strict=True):
        axes.add_patch(Rectangle((x, y), 3, 3, fill=False, edgecolor=color, linewidth=2.2, zorder=4))
    axes.set(xlim=(-2.2, SIZE + 2.2), ylim=(SIZE + 2.2, -2.2), aspect="equal")
    axes.set_axis_off()


def draw_table(axes: Axes, sizes: dict[tuple[int, int, int], int]) -> None:
    """A row a kernel, a column a stride and a padding; what is WANTED is marked."""
    columns = [(stride, padding) for stride in STRIDES for padding in PADDINGS]
    for row, kernel in enumerate(KERNELS):
        axes.text(-0.9, row, f"{kernel}", ha="center", va="center", fontweight="bold")
        for column, (stride, padding) in enumerate(columns):
            size = sizes[kernel, stride, padding]
            gap = 0.35 * STRIDES.index(stride)
            if size == WANTED:
                box = Rectangle((column + gap - 0.45, row - 0.42), 0.9, 0.84, facecolor=PALETTE[4], edgecolor="none")
                axes.add_patch(box)
            axes.text(column + gap, row, f"{size}", ha="center", va="center")
            if row == 0:
                axes.text(column + gap, -0.95, f"{padding}", ha="center", va="center", color="#555555")
    for number, stride in enumerate(STRIDES):
        middle = number * (len(PADDINGS) + 0.35) + (len(PADDINGS) - 1) / 2
        axes.text(middle, -1.8, f"stride {stride}", ha="center", va="center", fontweight="bold")
        axes.plot([middle - 1.9, middle + 1.9], [-1.4, -1.4], color="#999999", linewidth=0.8)
    axes.text(-0.9, -0.95, "padding", ha="right", va="center", color="#555555")
    axes.text(-1.6, (len(KERNELS) - 1) / 2, "kernel", ha="right", va="center", fontweight="bold")
    axes.set(xlim=(-2.8, len(columns) + 0.4), ylim=(len(KERNELS) - 0.4, -2.4))
    axes.set_title(f"rows and columns of the result of {SIZE} x {SIZE}; {WANTED} x {WANTED} marked", fontsize=10)
    axes.set_axis_off()
