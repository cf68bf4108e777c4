"""How much of a result depends on which parameter."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.ticker import PercentFormatter

from cnnlab.figures.style import PALETTE, figure, save, styled


@styled
def draw_importance(fractions: Mapping[str, float], path: Path) -> Path:
    """Draw a bar a parameter, the longest first; the shares sum to 1."""
    ordered = dict(sorted(fractions.items(), key=lambda item: -item[1]))
    drawn = figure(7.0, 1.1 + 0.42 * len(ordered))
    axes = drawn.subplots()
    bars = axes.barh(list(ordered), list(ordered.values()), color=PALETTE[0], height=0.6)
    axes.bar_label(bars, [f"{fraction:.0%}" for fraction in ordered.values()], padding=4, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(ordered.values()))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(visible=False, axis="y")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.set_title("importance for being among the best trials (PED-ANOVA)", fontsize=10, loc="left")
    return save(drawn, path)
