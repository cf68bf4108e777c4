"""Images, kernels and feature maps side by side; small maps show their values."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from cnnlab.figures.style import PALETTE, figure, styled

NUMBERED_UP_TO = 12  # a map shows its values if neither side has more pixels
CELL = 0.34  # side in inches of a pixel with its value
LARGE = 2.4  # width in inches of a map without values
LETTER = 0.068  # approximate width in inches of a letter in a title
TITLE = 0.3  # inches above a map
GAP = 0.26  # inches between maps
QUANTILE = 0.985  # of a large map's absolute values that its colors resolve; outliers would make the rest pale


@styled
def draw_maps(maps: Mapping[str, Tensor], per_row: int = 5) -> Figure:
    """Draw each map (H, W), or RGB image (H, W, 3) in [0, 1], below its name.

    All maps that show their values have pixels of the same size. The colors of a map with negative values, or of zeros
    only, range from blue over white to red, those of any other map from black to white.
    """
    items = list(maps.items())
    boxes = [_inches(value) for _, value in items]
    columns = min(per_row, len(items))
    names = [len(name) * LETTER for name, _ in items]
    widths = [max(map(max, names[i::columns], [box[1] for box in boxes[i::columns]])) for i in range(columns)]
    heights = [max(box[0] for box in boxes[i : i + columns]) for i in range(0, len(items), columns)]
    width = sum(widths) + GAP * (columns + 1)
    height = sum(heights) + TITLE * len(heights) + GAP * len(heights)
    fig = figure(width, height)
    fig.set_layout_engine("none")
    for number, ((name, value), (map_height, map_width)) in enumerate(zip(items, boxes, strict=True)):
        row, column = divmod(number, columns)
        left = GAP * (column + 1) + sum(widths[:column]) + (widths[column] - map_width) / 2
        bottom = (GAP + TITLE) * (row + 1) - GAP / 2 + sum(heights[:row]) + (heights[row] + map_height) / 2
        box = (left / width, 1 - bottom / height, map_width / width, map_height / height)
        draw_map(fig.add_axes(box), value, name)
    return fig


def draw_map(axes: Axes, values: Tensor, name: str, letters: float = 8) -> None:
    """Draw one map (H, W), or an RGB image (H, W, 3) in [0, 1].

    Args:
        axes: the axes to draw on.
        values: the map or the image.
        name: the title.
        letters: font size of the values, in points.
    """
    axes.set_title(name, fontsize=9)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color="#999999", linewidth=0.6)
    signed = values.ndim == 2 and (bool((values < 0).any()) or not values.any())
    numbered = _is_numbered(values)
    limit = float(values.abs().max() if numbered or values.ndim == 3 else _typical_maximum(values)) or 1.0
    if signed:
        axes.imshow(values.numpy(), cmap="RdBu_r", vmin=-1.3 * limit, vmax=1.3 * limit)
    else:
        axes.imshow(values.numpy(), cmap="gray", vmin=min(0.0, float(values.min())), vmax=limit)
    if not numbered:
        return
    for i, row in enumerate(values.tolist()):
        for j, value in enumerate(row):
            dark = abs(value) > 0.7 * limit if signed else value < limit / 2
            color = "white" if dark else "black"
            text = f"{value:.0f}" if value == round(value) else f"{value:.3g}"
            axes.text(j, i, text, ha="center", va="center", fontsize=letters, color=color)


def mark(axes: Axes, top: int, left: int, size: tuple[int, int], color: str = PALETTE[1]) -> None:
    """Draw a frame around the pixels of a window; `size` is its height and width."""
    height, width = size
    corner = (left - 0.44, top - 0.44)
    axes.add_patch(Rectangle(corner, width - 0.12, height - 0.12, fill=False, edgecolor=color, linewidth=2, zorder=3))


def _typical_maximum(values: Tensor) -> Tensor:
    """The absolute value that only outliers exceed."""
    absolute = values.abs().flatten()
    return absolute.kthvalue(max(1, round(QUANTILE * len(absolute)))).values


def _is_numbered(values: Tensor) -> bool:
    return values.ndim == 2 and max(values.shape) <= NUMBERED_UP_TO


def _inches(values: Tensor) -> tuple[float, float]:
    """The height and width of a map in the figure."""
    height, width = values.shape[:2]
    return (CELL * height, CELL * width) if _is_numbered(values) else (LARGE * height / width, LARGE)
