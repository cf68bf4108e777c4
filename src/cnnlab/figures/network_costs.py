"""Networks side by side: what they cost, and how far they see."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from matplotlib.ticker import EngFormatter, FuncFormatter

from cnnlab.analysis.trace import Trace
from cnnlab.figures.labels import place_labels
from cnnlab.figures.style import PALETTE, figure, save, styled

ALONE = "#555555"  # networks without relatives


def _colors(names: list[str]) -> dict[str, str]:
    """One color a family, which is what a name begins with, for as many as the palette has, the largest first."""
    families = {name: re.split(r"[\d_]", name)[0] for name in names}
    sizes = Counter(families.values())
    several = [family for family, count in sizes.most_common() if count > 1][: len(PALETTE)]
    color = dict(zip(several, PALETTE, strict=False))
    return {name: color.get(family, ALONE) for name, family in families.items()}


@styled
def draw_costs(traces: Mapping[str, Trace], path: Path) -> Path:
    """Draw each network's parameters against its multiply-accumulates, both logarithmic."""
    names, colors = list(traces), _colors(list(traces))
    points = [(trace.total("macs"), trace.parameters - trace.unused) for trace in traces.values()]
    drawn = figure(9.0, 6.0)
    axes = drawn.subplots()
    for (macs, parameters), name in zip(points, names, strict=True):
        axes.plot(macs, parameters, color=colors[name], marker="o", markersize=5, zorder=3)
    axes.set(xscale="log", yscale="log")
    axes.margins(0.08)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(EngFormatter(places=0))
    axes.set(xlabel="multiply-accumulates for one image", ylabel="parameters")
    axes.set_title("What the networks cost, each at its own input", fontsize=11)
    place_labels(drawn, axes, points, names, [colors[name] for name in names])
    return save(drawn, path)


@styled
def draw_fields(traces: Mapping[str, Trace], path: Path) -> Path:
    """Draw the receptive field's side after each layer of the longest way; networks that have no map are left out."""
    colors = _colors(list(traces))
    drawn = figure(9.0, 6.0)
    axes = drawn.subplots()
    ends, names = [], []
    for name, trace in traces.items():
        line = field_by_depth(trace)
        if len(line) > 1:
            depths, sizes = zip(*line.items(), strict=True)
            axes.plot(depths, sizes, color=colors[name], linewidth=1.2, alpha=0.75)
            axes.plot(depths[-1], sizes[-1], color=colors[name], marker="o", markersize=4)
            ends.append((float(depths[-1]), float(sizes[-1])))
            names.append(name)
    axes.set(xscale="log", yscale="log")
    axes.margins(0.1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set(xlabel="layers on the longest way", ylabel="receptive field's side, pixels")
    axes.set_title("Receptive field by layer, for layers that do not see the whole image", fontsize=11)
    if ends:
        place_labels(drawn, axes, ends, names, [colors[name] for name in names])
    return save(drawn, path)


def field_by_depth(trace: Trace) -> dict[int, int]:
    """The largest field's side in pixels by depth, of maps that do not see the whole image."""
    sizes: dict[int, int] = {}
    last = -1 if trace.last_map is None else trace.last_map
    for row in trace.rows[: last + 1]:
        if row.is_map and row.depth and row.field is not None:
            sizes[row.depth] = max(sizes.get(row.depth, 0), *(axis.size for axis in row.field.axes))
    return sizes
