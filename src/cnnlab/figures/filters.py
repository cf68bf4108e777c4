"""The filters of a network's first convolution, as they change during training."""

from collections.abc import Sequence

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from torch import Tensor

from cnnlab.figures.style import DPI, figure, styled

COLUMNS = 16  # filters in a figure
PIXELS = 56  # of a filter in the figure, about
GAP = 4  # pixels between filters
MEANING = {1: "red: positive, blue: negative", 3: "gray: 0"}


def draw_filter_grid(filters: Tensor) -> Tensor:
    """Draw filters (F, C, K, K) beside each other, and return the image (3, H, W) with values in [0, 1]."""
    shown = filter_colors(filters)
    zoom = max(1, round(40 / shown.shape[-1]))
    enlarged = shown.repeat_interleave(zoom, dim=2).repeat_interleave(zoom, dim=3)
    return tiled(enlarged, columns=8, gap=3)


@styled
def draw_filters(filters: Sequence[Tensor], epochs: Sequence[int], layer: str) -> Figure:
    """Draw the first filters of a layer, one row for each epoch.

    Args:
        filters: (F, C, K, K) for each epoch.
        epochs: the number of completed epochs in each row; 0 before training.
        layer: the layer's name.
    """
    count, channels, height, width = filters[0].shape
    columns = min(count, COLUMNS)
    zoom = max(1, round(PIXELS / max(height, width)))
    cells = torch.cat([filter_colors(weights[:columns]) for weights in filters])
    cells = cells.repeat_interleave(zoom, dim=2).repeat_interleave(zoom, dim=3)
    image = tiled(cells, columns, GAP)
    above, left = 44, 104  # pixels for the title, and for "epoch 1000"
    fig = figure((image.shape[2] + left) / DPI, (image.shape[1] + above) / DPI)
    fig.set_layout_engine("none")
    width, height = fig.get_size_inches() * DPI
    axes = fig.add_axes((left / width, 0, image.shape[2] / width, image.shape[1] / height))
    axes.imshow(image.permute(1, 2, 0).numpy(), aspect="auto")
    axes.set_axis_off()
    step = image.shape[1] / len(epochs)
    for row, epoch in enumerate(epochs):
        name = f"epoch {epoch}" if epoch else "start"
        axes.text(-6, (row + 0.5) * step, name, ha="right", va="center", fontsize=8.5)
    shown = f"{count} filters" if count == columns else f"the first {columns} filters"
    kernel = "x".join(map(str, filters[0].shape[2:]))
    meaning = MEANING.get(channels, f"mean over {channels} channels; {MEANING[1]}")
    fig.text(6 / width, 1 - 6 / height, f"{layer}: {shown}, {kernel}\n{meaning}; each scaled", fontsize=8, va="top")
    return fig


def filter_colors(filters: Tensor) -> Tensor:
    """Return RGB images (F, 3, K, K) of filters (F, C, K, K), each scaled to its largest absolute weight.

    The three channels of filters for RGB images are shown as colors around gray. All other filters, averaged over their
    channels, range from blue over white to red.
    """
    is_rgb = filters.shape[1] == 3
    shown = filters if is_rgb else filters.mean(1, keepdim=True)
    limits = shown.abs().amax((1, 2, 3), keepdim=True).clamp(min=torch.finfo(shown.dtype).tiny)
    scaled = 0.5 + 0.5 * shown / limits
    if is_rgb:
        return scaled
    colors = mpl.colormaps["RdBu_r"](scaled[:, 0].numpy())[..., :3]
    return torch.from_numpy(colors).permute(0, 3, 1, 2).float()


def tiled(images: Tensor, columns: int, gap: int) -> Tensor:
    """Place images (N, C, H, W) in rows on white, `gap` pixels apart, as (C, height, width).

    `torchvision.utils.make_grid` does the same, but importing torchvision takes longer than all figures of a run.
    """
    count, channels, height, width = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    canvas = images.new_ones(channels, rows * (height + gap) + gap, columns * (width + gap) + gap)
    for i, image in enumerate(images):
        top, left = (
            gap + place * (side + gap) for place, side in zip(divmod(i, columns), (height, width), strict=True)
        )
        canvas[:, top : top + height, left : left + width] = image
    return canvas
