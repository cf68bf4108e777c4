"""Labels that can be read: beside points without overlap, and names of classes whatever their length and script."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from cnnlab.figures.fonts import drawable, lacking_characters
from cnnlab.figures.style import DPI

POINT = 5.0  # half the side in pixels of the free square around a point
NEAR = 20.0  # up to this distance in pixels, no line connects a label to its point
DIRECTIONS = (0, 180, 45, -45, 135, -135, 90, -90, 20, -20, 160, -160, 70, -70, 110, -110)  # degrees, best first
RINGS = 30  # of candidate positions around a point
NARROW = 22  # characters of a name in SMALLEST letters below an image
SMALLEST = 5.5  # points; text that does not fit in this size is shortened


def place_labels(
    fig: Figure, axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str], colors: Sequence[str]
) -> None:
    """Write each name beside its point.

    Args:
        fig: the figure of `axes`.
        axes: the axes, whose limits must be final.
        points: the points in data coordinates.
        names: the label of each point.
        colors: the color of each label.
    """
    fig.set_dpi(DPI)
    fig.draw_without_rendering()  # the layout determines the positions of the points
    renderer = FigureCanvasAgg(fig).get_renderer()
    pixels = axes.transData.transform(list(points))
    taken = [Bbox.from_extents(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in pixels]
    for (x, y), name, color in zip(pixels, names, colors, strict=True):
        text = axes.text(0, 0, name, fontsize=7.5, color=color, ha="center", va="center", transform=None)
        text.set_path_effects([withStroke(linewidth=2.0, foreground="white")])  # readable on top of lines
        extent = text.get_window_extent(renderer)
        box = _free_place(x, y, extent.width, extent.height, taken, axes.get_window_extent(renderer))
        taken.append(box)
        center_x, center_y = axes.transAxes.inverted().transform(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2))
        text.set_position((center_x, center_y))
        text.set_transform(axes.transAxes)
        nearest = (min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1))
        if math.dist((x, y), nearest) > NEAR:
            ends = axes.transAxes.inverted().transform([(x, y), nearest])
            axes.plot(*ends.T, transform=axes.transAxes, color=color, linewidth=0.5, alpha=0.6, zorder=1)


def _free_place(x: float, y: float, width: float, height: float, taken: Sequence[Bbox], inside: Bbox) -> Bbox:
    """The first candidate box around the point that is free and inside the axes, or else the first candidate."""
    candidates = list(_candidates(x, y, width, height))
    free = (
        box
        for box in candidates
        if inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
        if not any(box.overlaps(other) for other in taken)
    )
    return next(free, candidates[0])


def _candidates(x: float, y: float, width: float, height: float) -> Iterator[Bbox]:
    """Boxes of this size around the point, the nearest and the best directions first."""
    for ring in range(RINGS):
        radius = POINT + 3 + 6 * ring
        for degrees in DIRECTIONS:
            angle = math.radians(degrees)
            left = x + math.cos(angle) * (radius + width / 2) - width / 2
            bottom = y + math.sin(angle) * (radius + height / 2) - height / 2
            yield Bbox.from_bounds(left, bottom, width, height)


def class_labels(classes: Sequence[str], longest: int = NARROW) -> list[str]:
    """The class names for use within `fonts_for(classes)`: of at most `longest` characters, and all different.

    A name that looks like another one, in the fonts or shortened to NARROW characters, begins with the number of its
    class, as in `3: Bücher u…hundert`. It does so for every `longest`: a figure with full names is the legend of the
    others.
    """
    counts = Counter(drawable(shortened(name, NARROW)) for name in classes)
    labels = []
    for number, name in enumerate(classes):
        is_numbered = counts[drawable(shortened(name, NARROW))] > 1 or bool(lacking_characters(name))
        start = f"{number}: " if is_numbered else ""
        labels.append(f"{start}{drawable(shortened(name, longest - len(start)))}")
    return labels


def shortened(text: str, longest: int) -> str:
    """`text` with an ellipsis in place of its middle, if it has more than `longest` characters."""
    if len(text) <= longest:
        return text
    end = max(0, longest - 1) // 3
    return f"{text[: max(1, longest - 1 - end)].rstrip()}…{text[len(text) - end :].lstrip()}"


def fit(text: Text, inches: float, renderer: RendererAgg) -> None:
    """Make a label at most `inches` wide: in smaller letters down to SMALLEST, then shortened."""
    words = text.get_text().replace("\\$", "$")
    text.set_text(drawable(words))
    width = _width(text, renderer)
    if width <= inches:
        return
    text.set_fontsize(max(SMALLEST, float(text.get_fontsize()) * inches / width))
    low, high = 1, len(words)  # the longest form that fits, by bisection
    while low < high:
        middle = (low + high + 1) // 2
        text.set_text(drawable(shortened(words, middle)))
        low, high = (middle, high) if _width(text, renderer) <= inches * 1.02 else (low, middle - 1)
    text.set_text(drawable(shortened(words, low)))


def _width(text: Text, renderer: RendererAgg) -> float:
    """In inches."""
    return text.get_window_extent(renderer).width / renderer.dpi
