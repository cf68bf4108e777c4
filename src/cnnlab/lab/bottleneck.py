"""The bottleneck: a 1x1 convolution to a few channels makes the 5x5 convolution behind it cheap.

From 192 to 32 channels of 28x28 pixels, as in GoogLeNet's inception (3a): Szegedy et al., "Going deeper with
convolutions", 2014, table 1.
"""

from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from cnnlab.analysis.trace import Trace
from cnnlab.analysis.worked import EXAMPLES
from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.finding import Finding, Settings
from cnnlab.rendering.tables import aligned

EXAMPLE = EXAMPLES["192 to 32 channels, 28x28"]
COLORS = {"conv 5x5": PALETTE[1], "conv 1x1": PALETTE[2]}
# The drawing: a map's side, its depth on paper and a channel's length; arrow, longest bar, from row to row.
SIDE, DEEP, LENGTH = 26.0, 11.0, 0.22
GAP, BAR, ROW = 26.0, 110.0, 70.0


def experiment(settings: Settings) -> Finding:
    ways = EXAMPLE.traces()
    direct, narrow = (taken.total("multiplications") for taken in ways.values())
    title = f"The bottleneck takes {narrow / 1e6:.1f} M multiplications where 5x5 alone takes {direct / 1e6:.1f} M"
    lines, values = [], {}
    for name, taken in ways.items():
        lines += [name]
        pairs = [(f"  {row.kind} to {by(row.shape)}", _costs(row.multiplications, row.weights)) for row in taken.rows]
        if len(pairs) > 1:
            pairs.append(("  together", _costs(taken.total("multiplications"), taken.total("weights"))))
        lines += [aligned([(f"{step:<28}", costs) for step, costs in pairs]), ""]
        values[name] = {
            "multiplications": taken.total("multiplications"),
            "weights": taken.total("weights"),
            "steps": [[row.kind, row.multiplications, row.weights] for row in taken.rows],
        }
    lines += [f"{direct / narrow:.1f} times fewer multiplications; the map in between has 16 of the 192 channels"]
    return Finding(title, "\n".join(lines), values, draw(ways))


def by(shape: tuple[int, ...]) -> str:
    """Height, width, channels, as the papers write a map's shape."""
    channels, height, width = shape
    return f"{height}x{width}x{channels}"


def _costs(multiplications: int, weights: int) -> str:
    return f"{multiplications:>11,} multiplications {weights:>9,} weights"


@styled
def draw(ways: Mapping[str, Trace]) -> Figure:
    """Each way a row of maps, as long as they have channels, above a bar of its multiplications."""
    drawn = figure(8.5, 6.6)
    axes = drawn.subplots()
    axes.set_axis_off()
    axes.set_aspect("equal")
    most = max(taken.total("multiplications") for taken in ways.values())
    for bottom, taken in zip((ROW, 0), ways.values(), strict=True):
        _draw_maps(axes, taken, bottom)
        _draw_costs(axes, taken, bottom - 17, most)
    return drawn


def _draw_maps(axes: Axes, taken: Trace, bottom: float) -> None:
    left, middle = 0.0, bottom + (SIDE + DEEP) / 2
    for i, shape in enumerate([taken.shape, *(row.shape for row in taken.rows)]):
        if i:
            row = taken.rows[i - 1]
            arrow = {"arrowstyle": "-|>", "color": "#333333"}
            axes.annotate("", (left + GAP - 2, middle), (left + 2, middle), arrowprops=arrow)
            axes.text(left + GAP / 2, middle + 1.5, row.kind, ha="center", va="bottom")
            cost = f"{row.multiplications / 1e6:.1f} M"
            place = (left + GAP / 2, middle - 2)
            axes.text(*place, cost, ha="center", va="top", fontsize=11, weight="bold", color=COLORS[row.kind])
            left += GAP
        right = _draw_map(axes, left, bottom, LENGTH * shape[0])
        axes.text((left + right) / 2, bottom - 3, by(shape), ha="center", va="top")
        left = right


def _draw_costs(axes: Axes, taken: Trace, height: float, most: int) -> None:
    left = 0.0
    for row in taken.rows:
        width = BAR * row.multiplications / most
        axes.barh(height, width, left=left, height=6, color=COLORS[row.kind])
        left += width
    total = taken.total("multiplications")
    axes.text(left + 2, height, f"{total / 1e6:.1f} M multiplications", va="center")


def _draw_map(axes: Axes, left: float, bottom: float, length: float) -> float:
    """A block whose length is its channels, seen from the front and above; the place of its right end."""
    end, top = left + length, bottom + SIDE
    faces = {
        0.55: [(left, bottom), (end, bottom), (end, top), (left, top)],
        0.3: [(left, top), (end, top), (end + DEEP, top + DEEP), (left + DEEP, top + DEEP)],
        0.75: [(end, bottom), (end + DEEP, bottom + DEEP), (end + DEEP, top + DEEP), (end, top)],
    }
    for alpha, corners in faces.items():
        color = mpl.colors.to_rgba(PALETTE[0], alpha)
        axes.add_patch(Polygon(corners, facecolor=color, edgecolor="#333333", linewidth=0.8))
    return end + DEEP
