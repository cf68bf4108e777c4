"""Padding and stride: the positions of a kernel's windows, and the resulting output size.

Sources: Zhang et al., "Dive into Deep Learning", 2023, sections 7.3.1 and 7.3.2, which count the padding p of both
sides together; Stanford's CS231n notes, "Convolutional Networks", which count the padding P per side.
"""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from cnnlab import ops
from cnnlab.figures.maps import draw_map, mark
from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.finding import Finding, Settings, text_rows
from cnnlab.ops.layout import pad

SIZE, WANTED = 8, 4  # sides of the input, and of the outputs that the figure highlights
KERNELS, STRIDES, PADDINGS = (1, 2, 3, 4, 5, 7), (1, 2, 3), (0, 1, 2, 3)
WORDS = ("valid", "same", "full")
STEPS = (3, 2)  # down, across


def result_size(kernel: int, stride: int, padding: int) -> int:
    """Measure the side of the output of a convolution of SIZE x SIZE pixels."""
    result = ops.conv2d(torch.zeros(1, SIZE, SIZE), torch.zeros(1, 1, kernel, kernel), stride=stride, padding=padding)
    return result.shape[1]


def per_side(kernel: int, stride: int, padding: int) -> int:
    """(N + 2P - F) / S + 1, rounded down, with the padding P per side."""
    return (SIZE + 2 * padding - kernel) // stride + 1


def in_total(kernel: int, stride: int, padded: int) -> int:
    """(n - k + p + s) / s, rounded down, with the total padding p of both sides."""
    return (SIZE - kernel + padded + stride) // stride


def with_all_padding(size: int, stride: int) -> int:
    """(n - k + p + s) / s for p = k - 1: (n + s - 1) / s, rounded down, whatever the kernel; n / s if s divides n."""
    return (size + stride - 1) // stride


def experiment(settings: Settings) -> Finding:
    sizes = {
        (kernel, stride, padding): result_size(kernel, stride, padding)
        for kernel in KERNELS for stride in STRIDES for padding in PADDINGS
    }  # fmt: skip
    agree = all(
        per_side(kernel, stride, padding)
        == in_total(kernel, stride, 2 * padding)
        == ops.out_size(SIZE, kernel, stride, padding)
        == size
        for (kernel, stride, padding), size in sizes.items()
    )
    preserved = {
        (kernel, stride): result_size(kernel, stride, (kernel - 1) // 2) == with_all_padding(SIZE, stride)
        for kernel in KERNELS for stride in STRIDES if kernel % 2
    }  # fmt: skip
    words = {
        word: ops.conv2d(torch.zeros(1, SIZE, SIZE), torch.zeros(1, 1, 3, 3), padding=word).shape[1] for word in WORDS
    }
    x, kernel = torch.arange(9.0).reshape(3, 3), torch.arange(4.0).reshape(2, 2)
    uneven = ops.conv2d(x[None], kernel[None, None], stride=STEPS, padding=1)[0]
    title = (
        f"{list(sizes.values()).count(WANTED)} combinations of kernel, stride and padding reduce {SIZE} x {SIZE} to "
        f"{WANTED} x {WANTED} pixels, among them a 3 x 3 kernel with stride 2 and padding 1"
    )
    values = {
        "sizes": [{"kernel": k, "stride": s, "padding": p, "size": size} for (k, s, p), size in sizes.items()],
        "formulas agree": agree,
        "p = k - 1 agrees": all(preserved.values()),
        "words": words,
        "uneven": uneven.tolist(),
    }
    maps = (pad(x, ((1, 1), (1, 1))), kernel, uneven)
    return Finding(
        title, describe(sizes, words, (agree, all(preserved.values())), uneven), values, draw(sizes, words, maps)
    )


def describe(
    sizes: dict[tuple[int, int, int], int], words: dict[str, int], agree: tuple[bool, bool], uneven: Tensor
) -> str:
    """Format the table of sizes, both formulas with an example, and the result of the uneven stride."""
    header = "".join(f"{f'stride {stride}':<{4 * len(PADDINGS) + 2}}" for stride in STRIDES)
    paddings = "  ".join("".join(f"{f'P={padding}':>4}" for padding in PADDINGS) for _ in STRIDES)
    rows = [
        f"{kernel:>4}  "
        + "  ".join("".join(f"{sizes[kernel, stride, padding]:>4}" for padding in PADDINGS) for stride in STRIDES)
        for kernel in KERNELS
    ]
    return "\n".join(
        [
            f"side of the output for {SIZE} x {SIZE} pixels, by kernel size F, stride S and padding P per side:",
            f"{'':8}{header}".rstrip(),
            f"{'F':>4}  {paddings}",
            *rows,
            "",
            f"padding P per side:            (N + 2P - F) / S + 1, rounded down: "
            f"({SIZE} + 2*1 - 3) / 2 + 1 = {per_side(3, 2, 1)}",
            f"padding p of both sides:       (n - k + p + s) / s, rounded down:  "
            f"({SIZE} - 3 + 2 + 2) / 2  = {in_total(3, 2, 2)}",
            f"the latter for p = k - 1:      (n + s - 1) / s, rounded down:      "
            f"({SIZE} + 2 - 1) / 2      = {with_all_padding(SIZE, 2)}; n / s if s divides n",
            f"  it {'matches' if agree[1] else 'does NOT match'} the measured sizes of the odd kernels",
            f"both formulas {'match' if agree[0] else 'do NOT match'} the measured output sizes in the {len(sizes)} "
            "cases",
            "output of a 3 x 3 kernel by padding: " + ", ".join(f"{word} {n} x {n}" for word, n in words.items()),
            "",
            f"input 0...8 (3 x 3), kernel 0...3 (2 x 2), stride {STEPS[0]} down and {STEPS[1]} across, padding 1:",
            *text_rows(uneven),
        ]
    )


@styled
def draw(sizes: dict[tuple[int, int, int], int], words: dict[str, int], maps: Sequence[Tensor]) -> Figure:
    """Draw the windows of four layouts above an example with uneven strides and the table of sizes."""
    fig = figure(12, 7.5)
    upper, lower = fig.subfigures(2, 1, squeeze=False, height_ratios=(1, 0.9), hspace=0.04).ravel()
    layouts = (("valid", 1, 0), ("same", 1, 1), ("full", 1, 2), ("stride 2", 2, 1))
    for axes, (word, stride, padding) in zip(upper.subplots(1, 4), layouts, strict=True):
        size = per_side(3, stride, padding)
        assert word not in words or words[word] == size
        draw_windows(axes, stride, padding, size)
        axes.set_title(f"{word}: {SIZE} x {SIZE} to {size} x {size}\nkernel 3 x 3, padding {padding}", fontsize=10)
    left, right = lower.subfigures(1, 2, squeeze=False, width_ratios=(1, 1.15)).ravel()
    panels = left.subplots(1, 3, width_ratios=(5, 2, 2))
    names = (f"input, padding 1; stride {STEPS[0]} down, {STEPS[1]} across", "kernel", "output")
    for axes, values, name in zip(panels, maps, names, strict=True):
        draw_map(axes, values, name)
    for number, (i, j) in enumerate((i, j) for i in range(2) for j in range(2)):
        mark(panels[0], STEPS[0] * i, STEPS[1] * j, (2, 2), PALETTE[number + 1])
        mark(panels[2], i, j, (1, 1), PALETTE[number + 1])
    draw_table(right.subplots(), sizes)
    return fig


def draw_windows(axes: Axes, stride: int, padding: int, size: int) -> None:
    """Draw the padded image, a dot at the center of each window, and the first two windows and the last one."""
    padded = SIZE + 2 * padding
    axes.add_patch(Rectangle((-padding, -padding), padded, padded, facecolor="#eeeeee", edgecolor="none"))
    axes.add_patch(Rectangle((0, 0), SIZE, SIZE, facecolor="#bcd9ea", edgecolor="none"))
    for line in range(-padding, SIZE + padding + 1):
        axes.plot([-padding, SIZE + padding], [line, line], color="white", linewidth=1)
        axes.plot([line, line], [-padding, SIZE + padding], color="white", linewidth=1)
    centers = [stride * i - padding + 1.5 for i in range(size)]
    axes.scatter(centers * size, [y for y in centers for _ in centers], s=14, color="#333333", zorder=3)
    last = centers[-1] - 1.5
    corners = ((-padding, -padding), (stride - padding, -padding), (last, last))
    for (x, y), color in zip(corners, (PALETTE[1], PALETTE[2], PALETTE[3]), strict=True):
        axes.add_patch(Rectangle((x, y), 3, 3, fill=False, edgecolor=color, linewidth=2.2, zorder=4))
    axes.set(xlim=(-2.2, SIZE + 2.2), ylim=(SIZE + 2.2, -2.2), aspect="equal")
    axes.set_axis_off()


def draw_table(axes: Axes, sizes: dict[tuple[int, int, int], int]) -> None:
    """Draw one row per kernel and one column per stride and padding, with the size WANTED highlighted."""
    columns = [(stride, padding) for stride in STRIDES for padding in PADDINGS]
    for row, kernel in enumerate(KERNELS):
        axes.text(-0.9, row, f"{kernel}", ha="center", va="center", fontweight="bold")
        for column, (stride, padding) in enumerate(columns):
            size = sizes[kernel, stride, padding]
            gap = 0.35 * STRIDES.index(stride)
            if size == WANTED:
                corner = (column + gap - 0.45, row - 0.42)
                axes.add_patch(Rectangle(corner, 0.9, 0.84, facecolor=PALETTE[4], edgecolor="none"))
            axes.text(column + gap, row, f"{size}", ha="center", va="center")
            if row == 0:
                axes.text(column + gap, -0.95, f"{padding}", ha="center", va="center", color="#555555")
    for number, stride in enumerate(STRIDES):
        middle = number * (len(PADDINGS) + 0.35) + (len(PADDINGS) - 1) / 2
        axes.text(middle, -1.8, f"stride {stride}", ha="center", va="center", fontweight="bold")
        axes.plot([middle - 1.9, middle + 1.9], [-1.4, -1.4], color="#999999", linewidth=0.8)
    axes.text(-0.9, -0.95, "padding", ha="right", va="center", color="#555555")
    axes.text(-1.6, (len(KERNELS) - 1) / 2, "kernel\nsize", ha="right", va="center", fontweight="bold")
    axes.set(xlim=(-2.8, len(columns) + 0.4), ylim=(len(KERNELS) - 0.4, -2.4))
    axes.set_title(f"side of the output for {SIZE} x {SIZE} pixels; {WANTED} x {WANTED} highlighted", fontsize=10)
    axes.set_axis_off()
