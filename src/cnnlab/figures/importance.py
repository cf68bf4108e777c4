"""The importance of the parameters of a search."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.ticker import PercentFormatter

from cnnlab.figures.style import PALETTE, figure, save, styled


@styled
def draw_importance(fractions: Mapping[str, float], path: Path) -> Path:
    """Draw one bar per parameter, the longest first, and return `path`; `fractions` sum to 1."""
    ordered = dict(sorted(fractions.items(), key=lambda item: -item[1]))
    fig = figure(7.0, 1.1 + 0.42 * len(ordered))
    axes = fig.subplots()
    bars = axes.barh(list(ordered), list(ordered.values()), color=PALETTE[0], height=0.6)
    axes.bar_label(bars, [f"{fraction:.0%}" for fraction in ordered.values()], padding=4, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(ordered.values()))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(visible=False, axis="y")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.set_title("importance for reaching the best trials (PED-ANOVA)", fontsize=10, loc="left")
    return save(fig, path)
