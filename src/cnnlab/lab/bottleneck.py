"""The bottleneck: a 1x1 convolution to few channels makes the 5x5 convolution that follows it cheap.

The example maps 192 to 32 channels at 28x28 pixels, as in the 5x5 branch of GoogLeNet's inception (3a).

Source: Szegedy et al., "Going deeper with convolutions", 2014, section 4 (1x1 reductions) and table 1 (inception 3a).
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
# Lengths in the drawing: the front height of a map, its perspective depth, the width per channel;
SIDE, DEEP, LENGTH = 26.0, 11.0, 0.22
# the arrow between maps, the longest bar, the distance between rows.
GAP, BAR, ROW = 26.0, 110.0, 70.0


def experiment(settings: Settings) -> Finding:
    traces = EXAMPLE.traces()
    direct, narrow = (trace.total("multiplications") for trace in traces.values())
    title = f"The bottleneck reduces the multiplications from {direct / 1e6:.1f} M to {narrow / 1e6:.1f} M"
    lines, values = [], {}
    for name, trace in traces.items():
        pairs = [(f"  {row.kind} to {by(row.shape)}", _costs(row.multiplications, row.weights)) for row in trace.rows]
        if len(pairs) > 1:
            pairs.append(("  total", _costs(trace.total("multiplications"), trace.total("weights"))))
        lines += [name, aligned([(f"{step:<28}", costs) for step, costs in pairs]), ""]
        values[name] = {
            "multiplications": trace.total("multiplications"),
            "weights": trace.total("weights"),
            "steps": [[row.kind, row.multiplications, row.weights] for row in trace.rows],
        }
    lines += [f"{direct / narrow:.1f} times fewer multiplications: the 1x1 convolution reduces 192 channels to 16"]
    return Finding(title, "\n".join(lines), values, draw(traces))


def by(shape: tuple[int, ...]) -> str:
    """Format (C, H, W) as HxWxC, as the papers do."""
    channels, height, width = shape
    return f"{height}x{width}x{channels}"


def _costs(multiplications: int, weights: int) -> str:
    return f"{multiplications:>11,} multiplications {weights:>9,} weights"


@styled
def draw(traces: Mapping[str, Trace]) -> Figure:
    """Draw one row of maps per variant, as wide as their channels, above a bar of the multiplications."""
    fig = figure(8.5, 6.6)
    axes = fig.subplots()
    axes.set_axis_off()
    axes.set_aspect("equal")
    most = max(trace.total("multiplications") for trace in traces.values())
    for bottom, trace in zip((ROW, 0), traces.values(), strict=True):
        _draw_maps(axes, trace, bottom)
        _draw_costs(axes, trace, bottom - 17, most)
    return fig


def _draw_maps(axes: Axes, trace: Trace, bottom: float) -> None:
    left, middle = 0.0, bottom + (SIDE + DEEP) / 2
    for i, shape in enumerate([trace.shape, *(row.shape for row in trace.rows)]):
        if i:
            row = trace.rows[i - 1]
            arrow = {"arrowstyle": "-|>", "color": "#333333"}
            axes.annotate("", (left + GAP - 2, middle), (left + 2, middle), arrowprops=arrow)
            axes.text(left + GAP / 2, middle + 1.5, row.kind, ha="center", va="bottom")
            axes.text(
                left + GAP / 2, middle - 2, f"{row.multiplications / 1e6:.1f} M",
                ha="center", va="top", fontsize=11, weight="bold", color=COLORS[row.kind],
            )  # fmt: skip
            left += GAP
        right = _draw_map(axes, left, bottom, LENGTH * shape[0])
        axes.text((left + right) / 2, bottom - 3, by(shape), ha="center", va="top")
        left = right


def _draw_costs(axes: Axes, trace: Trace, height: float, most: int) -> None:
    left = 0.0
    for row in trace.rows:
        width = BAR * row.multiplications / most
        axes.barh(height, width, left=left, height=6, color=COLORS[row.kind])
        left += width
    axes.text(left + 2, height, f"{trace.total('multiplications') / 1e6:.1f} M multiplications", va="center")


def _draw_map(axes: Axes, left: float, bottom: float, length: float) -> float:
    """Draw a block in perspective and return the x coordinate of its right end."""
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
