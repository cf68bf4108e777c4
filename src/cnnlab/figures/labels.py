"""Names beside points, moved until none lies on another name or point."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from cnnlab.figures.style import DPI

POINT = 5.0  # half the side, in pixels, of the square that a point keeps free
NEAR = 20.0  # pixels within which a name needs no line to its point
DIRECTIONS = (0, 180, 45, -45, 135, -135, 90, -90, 20, -20, 160, -160, 70, -70, 110, -110)  # degrees, best first
LONGEST = 30  # rings that are tried


def place_labels(
    drawn: Figure, axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str], colors: Sequence[str]
) -> None:
    """Write each name beside its point, given in data coordinates; the axes' limits must be final."""
    drawn.set_dpi(DPI)
    drawn.draw_without_rendering()  # the layout decides where points lie
    renderer = FigureCanvasAgg(drawn).get_renderer()
    pixels = axes.transData.transform(list(points))
    taken = [Bbox.from_extents(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in pixels]
    for (x, y), name, color in zip(pixels, names, colors, strict=True):
        text = axes.text(0, 0, name, fontsize=7.5, color=color, ha="center", va="center", transform=None)
        text.set_path_effects([withStroke(linewidth=2.0, foreground="white")])  # legible above lines
        extent = text.get_window_extent(renderer)
        box = _free_place(x, y, extent.width, extent.height, taken, axes.get_window_extent(renderer))
        taken.append(box)
        centre_x, centre_y = axes.transAxes.inverted().transform(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2))
        text.set_position((centre_x, centre_y))
        text.set_transform(axes.transAxes)
        nearest = (min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1))
        if math.dist((x, y), nearest) > NEAR:
            ends = axes.transAxes.inverted().transform([(x, y), nearest])
            axes.plot(*ends.T, transform=axes.transAxes, color=color, linewidth=0.5, alpha=0.6, zorder=1)


def _free_place(x: float, y: float, width: float, height: float, taken: Sequence[Bbox], inside: Bbox) -> Bbox:
    """The first box of this size around the point that is free and inside; the first of all where none is."""
    first = None
    for ring in range(LONGEST):
        radius = POINT + 3 + 6 * ring
        for degrees in DIRECTIONS:
            angle = math.radians(degrees)
            right, up = math.cos(angle), math.sin(angle)
            centre_x = x + right * (radius + width / 2)
            centre_y = y + up * (radius + height / 2)
            box = Bbox.from_bounds(centre_x - width / 2, centre_y - height / 2, width, height)
            first = first or box
            within = inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
            if within and not any(box.overlaps(other) for other in taken):
                return box
    assert first is not None
    return first
