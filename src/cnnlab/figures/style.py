"""The common style of all figures: one palette and light axes, fig without a display."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

PALETTE = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)  # Okabe and Ito, color-blind safe

DPI = 130
PRINT_DPI = 300  # of figures in the width of a paper's column
COLUMN = 3.4  # inches of a column in a paper with two columns

STYLE: Any = {
    "font.size": 10,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=PALETTE),
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}


styled = mpl.rc_context(STYLE)  # a decorator for functions that draw


@styled
def figure(width: float, height: float) -> Figure:
    """Create an empty figure of `width` x `height` inches."""
    return Figure(figsize=(width, height), layout="constrained")


@styled
def save(fig: Figure, path: Path, dpi: int = DPI) -> Path:
    """Write the figure as a PNG file, create its folder if needed, and return `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=dpi)
    return path


@styled
def pixels(fig: Figure) -> np.ndarray:
    """The figure as uint8 (H, W, 3), which TensorBoard's `add_image` takes with `dataformats="HWC"`."""
    fig.set_dpi(DPI)
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def readable_log_scale(axes: Axes) -> None:
    """Make the vertical axis logarithmic, with numbers such as 0.02 at 1, 2 and 5 times the powers of ten."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
