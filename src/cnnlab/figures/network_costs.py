"""Networks compared by cost and by receptive field."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from matplotlib.ticker import EngFormatter, FuncFormatter

from cnnlab.analysis.trace import Trace
from cnnlab.figures.labels import place_labels
from cnnlab.figures.style import PALETTE, figure, save, styled

ALONE = "#555555"  # for networks without others of their family


def _colors(names: list[str]) -> dict[str, str]:
    """Assign one color per family of networks, which is the start of the name; the largest families come first."""
    families = {name: re.split(r"[\d_]", name)[0] for name in names}
    sizes = Counter(families.values())
    shared = [family for family, count in sizes.most_common() if count > 1][: len(PALETTE)]
    color = dict(zip(shared, PALETTE, strict=False))
    return {name: color.get(family, ALONE) for name, family in families.items()}


@styled
def draw_costs(traces: Mapping[str, Trace], path: Path) -> Path:
    """Draw the parameters of each network against its multiply-accumulates, on logarithmic axes; return `path`."""
    names, colors = list(traces), _colors(list(traces))
    points = [(trace.total("macs"), trace.parameters - trace.unused) for trace in traces.values()]
    fig = figure(9.0, 6.0)
    axes = fig.subplots()
    for (macs, parameters), name in zip(points, names, strict=True):
        axes.plot(macs, parameters, color=colors[name], marker="o", markersize=5, zorder=3)
    axes.set(xscale="log", yscale="log", xlabel="multiply-accumulates for one image", ylabel="parameters")
    axes.margins(0.08)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(EngFormatter(places=0))
    axes.set_title("Cost of the networks, each at its own input size", fontsize=11)
    place_labels(fig, axes, points, names, [colors[name] for name in names])
    return save(fig, path)


@styled
def draw_fields(traces: Mapping[str, Trace], path: Path) -> Path:
    """Draw the side of the receptive field by layer on the longest path; return `path`.

    Networks without feature maps are left out.
    """
    colors = _colors(list(traces))
    fig = figure(9.0, 6.0)
    axes = fig.subplots()
    ends, names = [], []
    for name, trace in traces.items():
        fields = field_by_depth(trace)
        if len(fields) > 1:
            depths, sizes = zip(*fields.items(), strict=True)
            axes.plot(depths, sizes, color=colors[name], linewidth=1.2, alpha=0.75)
            axes.plot(depths[-1], sizes[-1], color=colors[name], marker="o", markersize=4)
            ends.append((float(depths[-1]), float(sizes[-1])))
            names.append(name)
    axes.set(
        xscale="log", yscale="log", xlabel="layers on the longest path", ylabel="side of the receptive field, pixels"
    )
    axes.margins(0.1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_title("Receptive field by layer, for the layers that do not see the whole image", fontsize=11)
    if ends:
        place_labels(fig, axes, ends, names, [colors[name] for name in names])
    return save(fig, path)


def field_by_depth(trace: Trace) -> dict[int, int]:
    """The side of the largest receptive field in pixels by depth, for maps that do not see the whole image."""
    sizes: dict[int, int] = {}
    last = -1 if trace.last_map is None else trace.last_map
    for row in trace.rows[: last + 1]:
        if row.is_map and row.depth and row.field is not None:
            sizes[row.depth] = max(sizes.get(row.depth, 0), *(axis.size for axis in row.field.axes))
    return sizes
