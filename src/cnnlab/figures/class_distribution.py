"""How many images each class has in each set."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cnnlab.figures.fonts import drawable, fonts_for
from cnnlab.figures.labels import class_labels, fit
from cnnlab.figures.style import DPI, PALETTE, figure, styled

MOST_NAMED = 120  # with more classes, the figure shows only how their sizes are distributed
NAMES = 2.4  # inches at most for the names
LONGEST = 40  # characters of a name
ROW = 0.21  # inches of a class


@styled
def draw_class_distribution(counts: Mapping[str, Sequence[int]], classes: Sequence[str], title: str) -> Figure:
    """Draw the number of images of each class, one panel for each set.

    Args:
        counts: for each set, such as `training`, the number of images of each class; sets without images are left out.
        classes: the class names.
        title: the title of the figure.
    """
    shown = {name: list(values) for name, values in counts.items() if sum(values)}
    named = len(classes) <= MOST_NAMED
    with fonts_for((*classes, title)):
        height = max(2.0, 0.95 + (ROW if len(classes) <= 40 else 0.15) * len(classes)) if named else 3.4
        fig = figure(1.2 + (1.4 if named else 0) + 2.3 * max(1, len(shown)), height)
        fig.suptitle(drawable(title), fontsize=11)
        panels = fig.subplots(1, max(1, len(shown)), sharey=named, squeeze=False)[0]
        for axes, (name, values), color in zip(panels, shown.items(), PALETTE * len(shown), strict=False):
            axes.set_title(f"{name}: {sum(values):,} images", fontsize=10)
            if named:
                _bars(axes, values, color)
            else:
                _sorted_sizes(axes, values, color)
        if named:
            _write_names(fig, panels[0], classes)
    return fig


def _bars(axes: Axes, values: Sequence[int], color: str) -> None:
    """One bar for each class, with its number."""
    axes.barh(range(len(values)), values, color=color, height=0.72)
    letters = 8 if len(values) <= 40 else 6
    for position, value in enumerate(values):
        axes.annotate(
            f"{value:,}", (value, position), (3, 0), textcoords="offset points", va="center", fontsize=letters,
            color="#333333" if value else "#c00000",
        )  # fmt: skip
    axes.set(xlim=(0, 1.28 * max(values)), ylim=(len(values) - 0.4, -0.6))
    axes.grid(visible=False, axis="y")
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)


def _sorted_sizes(axes: Axes, values: Sequence[int], color: str) -> None:
    """The sizes of the classes from the largest to the smallest."""
    axes.fill_between(range(1, len(values) + 1), sorted(values, reverse=True), color=color, alpha=0.75, step="mid")
    axes.set(xlabel="classes, the largest first", ylabel="images", xlim=(1, len(values)), ylim=(0, None))
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")


def _write_names(fig: Figure, axes: Axes, classes: Sequence[str]) -> None:
    axes.set_yticks(range(len(classes)), class_labels(classes, LONGEST), fontsize=8.5 if len(classes) <= 40 else 7)
    fig.set_dpi(DPI)
    renderer = FigureCanvasAgg(fig).get_renderer()
    for label in axes.get_yticklabels():
        fit(label, NAMES, renderer)
