"""A network as a row of feature maps, with the parameters and the multiply-accumulates of each step."""

from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from cnnlab.analysis.trace import Row, Trace
from cnnlab.figures.style import PALETTE, figure, save, styled

KINDS = {"convolution": PALETTE[0], "pooling": PALETTE[1], "fully connected": PALETTE[2], "other": "#999999"}
WIDEST, NARROWEST = 0.86, 0.08  # of the distance between two maps


@styled
def draw_structure(title: str, traced: Trace, lines: Mapping[str, Sequence[Row]], path: Path) -> Path:
    """Draw the result of each of the `lines`, which are rows of the trace by name, and their costs; return `path`.

    The height of a map shows its side and the width its channels, both as square roots.
    """
    fig = figure(max(7.0, 1.5 + 0.5 * len(lines)), 6.4)
    maps, costs = fig.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    shapes = [traced.shape, *(rows[-1].shape for rows in lines.values())]
    kinds = ["other", *(kind_of(rows) for rows in lines.values())]
    draw_maps_in_row(maps, shapes, kinds)
    maps.set_title(f"{title}\nheight: side of the map; width: channels; both as square roots", fontsize=10)
    shown = [kind for kind in KINDS if kind in kinds]
    maps.legend(handles=[Patch(color=KINDS[kind], label=kind) for kind in shown], fontsize=9, ncols=len(shown))
    totals = {"parameters": traced.parameters - traced.unused, "multiply-accumulates": traced.total("macs")}
    counts = {
        "parameters": [sum(row.weights + row.biases for row in rows) for rows in lines.values()],
        "multiply-accumulates": [sum(row.macs for row in rows) for rows in lines.values()],
    }
    for offset, (label, values), color in zip((-0.2, 0.2), counts.items(), PALETTE[3:5], strict=True):
        positions = [index + 1 + offset for index in range(len(values))]
        fractions = [100 * value / totals[label] for value in values]
        costs.bar(positions, fractions, width=0.4, color=color, label=label)
    costs.set_ylabel("fraction of the total, %")
    costs.legend(fontsize=9)
    costs.set_axisbelow(True)
    costs.set_xticks(range(len(shapes)), ["input", *lines], rotation=90, fontsize=8)
    costs.set_xlim(-0.7, len(shapes) - 0.3)
    return save(fig, path)


def draw_maps_in_row(axes: Axes, shapes: Sequence[Sequence[int]], kinds: Sequence[str]) -> None:
    """Draw one rectangle per shape, (channels, height, width) or (features,), in the color of its kind."""
    most, largest = max(shape[0] for shape in shapes), max(_side(shape) for shape in shapes)
    for index, (shape, kind) in enumerate(zip(shapes, kinds, strict=True)):
        width, height = max(NARROWEST, WIDEST * sqrt(shape[0] / most)), sqrt(_side(shape) / largest)
        axes.add_patch(Rectangle((index - width / 2, -height / 2), width, height, color=KINDS[kind]))
        text = f"{shape[0]:,}" if _side(shape) == 1 else f"{shape[0]:,}\n{shape[1]}x{shape[2]}"
        axes.annotate(text, (index, height / 2), (0, 3), textcoords="offset points", ha="center", fontsize=7)
    axes.set_ylim(-0.55, 0.85)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(bottom=False)


def kind_of(rows: Sequence[Row]) -> str:
    """What the rows of a line do, in one word: the first of `KINDS` that describes one of them."""
    kinds = [row.kind for row in rows]
    words = {"convolution": "conv", "fully connected": "linear", "pooling": "pool"}
    found = [name for name, word in words.items() if any(word in kind for kind in kinds)]
    return found[0] if found else "other"


def _side(shape: Sequence[int]) -> int:
    return shape[1] if len(shape) == 3 else 1
