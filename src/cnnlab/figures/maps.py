"""Images, kernels and feature maps side by side, small ones with their numbers."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from cnnlab.figures.style import PALETTE, figure, styled

NUMBERED_UP_TO = 12  # pixels of the longer side
CELL = 0.34  # inches of a pixel that holds a number
LARGE = 2.4  # inches of a map without numbers
LETTER = 0.068  # inches of a title's letter, about
TITLE = 0.3  # inches above a map
GAP = 0.26  # inches between maps
BRIGHT = 0.985  # of a large map's numbers are within its colors; the few beyond would leave the rest pale


@styled
def draw_maps(maps: Mapping[str, Tensor], per_row: int = 5) -> Figure:
    """Draw each map (H, W), or picture (H, W, 3) from 0 to 1, under its name.

    Maps whose numbers are shown have pixels of one size. A map with negative numbers, or of zeros, goes from blue over
    white to red, any other from black to white.
    """
    items = list(maps.items())
    boxes = [_inches(value) for _, value in items]
    columns = min(per_row, len(items))
    names = [len(name) * LETTER for name, _ in items]
    widths = [max(map(max, names[i::columns], [box[1] for box in boxes[i::columns]])) for i in range(columns)]
    heights = [max(box[0] for box in boxes[i : i + columns]) for i in range(0, len(items), columns)]
    width = sum(widths) + GAP * (columns + 1)
    height = sum(heights) + TITLE * len(heights) + GAP * len(heights)
    drawn = figure(width, height)
    drawn.set_layout_engine("none")
    for number, ((name, value), (tall, wide)) in enumerate(zip(items, boxes, strict=True)):
        row, column = divmod(number, columns)
        left = GAP * (column + 1) + sum(widths[:column]) + (widths[column] - wide) / 2
        top = (GAP + TITLE) * (row + 1) - GAP / 2 + sum(heights[:row]) + (heights[row] - tall) / 2
        place = (left / width, 1 - (top + tall) / height, wide / width, tall / height)
        draw_map(drawn.add_axes(place), value, name)
    return drawn


def draw_map(axes: Axes, values: Tensor, name: str, letters: float = 8) -> None:
    """One map (H, W), or a picture (H, W, 3) of values from 0 to 1.

    Args:
        letters: points of its numbers.
    """
    axes.set_title(name, fontsize=9)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=True, color="#999999", linewidth=0.6)
    signed = values.ndim == 2 and (bool((values < 0).any()) or not values.any())
    numbered = _is_numbered(values)
    reach = float(values.abs().max() if numbered or values.ndim == 3 else _within(values)) or 1.0
    if signed:
        axes.imshow(values.numpy(), cmap="RdBu_r", vmin=-1.3 * reach, vmax=1.3 * reach)
    else:
        axes.imshow(values.numpy(), cmap="gray", vmin=min(0.0, float(values.min())), vmax=reach)
    if not numbered:
        return
    for i, row in enumerate(values.tolist()):
        for j, value in enumerate(row):
            dark = abs(value) > 0.7 * reach if signed else value < reach / 2
            color = "white" if dark else "black"
            axes.text(
                j,
                i,
                f"{value:.0f}" if value == round(value) else f"{value:.3g}",
                ha="center",
                va="center",
                fontsize=letters,
                color=color,
            )


def mark(axes: Axes, top: int, left: int, size: tuple[int, int], color: str = PALETTE[1]) -> None:
    """A frame around the pixels of a window of height and width `size`."""
    height, width = size
    corner = (left - 0.44, top - 0.44)
    axes.add_patch(Rectangle(corner, width - 0.12, height - 0.12, fill=False, edgecolor=color, linewidth=2, zorder=3))


def _within(values: Tensor) -> Tensor:
    """The size that all but the largest numbers stay below."""
    sizes = values.abs().flatten()
    return sizes.kthvalue(max(1, round(BRIGHT * len(sizes)))).values


def _is_numbered(values: Tensor) -> bool:
    return values.ndim == 2 and max(values.shape) <= NUMBERED_UP_TO


def _inches(values: Tensor) -> tuple[float, float]:
    """Height and width."""
    height, width = values.shape[:2]
    return (CELL * height, CELL * width) if _is_numbered(values) else (LARGE * height / width, LARGE)
