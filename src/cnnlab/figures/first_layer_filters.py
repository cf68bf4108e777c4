"""The filters of a first convolution as small images."""

import math
from pathlib import Path

from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from torch import Tensor

from cnnlab.figures.fonts import fonts_for
from cnnlab.figures.overlay import AGAINST_AND_FOR, LETTERS, SMALL, frame, lines_of
from cnnlab.figures.style import COLUMN, PRINT_DPI, figure, save, styled

MOST = 64  # filters in the figure
PER_ROW = 8
GAP = 0.12  # between filters, in their width


@styled
def draw_first_filters(weight: Tensor, title: str, path: Path) -> Path:
    """Draw filters (K, C, h, w), at most MOST of them, on one scale.

    Filters of color images show the color that excites them over gray; others are blue where negative, red where
    positive, and mean values over their channels if there are several.

    Returns:
        `path`.
    """
    shown = weight[:MOST].detach().float().cpu()
    limit = float(shown.abs().max()) or 1.0
    rows, columns = math.ceil(len(shown) / PER_ROW), min(PER_ROW, len(shown))
    is_color = shown.shape[1] == 3
    with fonts_for((title,)):
        width = COLUMN * (1 if is_color else 0.84)
        cell = width / PER_ROW
        fig = figure(COLUMN, cell * rows + 0.25 + 0.14 * len(lines_of(title)))
        axes = fig.subplots()
        for number, values in enumerate(shown):
            top, left = (position * (1 + GAP) for position in divmod(number, PER_ROW))
            extent = (left, left + 1, top + 1, top)
            if is_color:
                axes.imshow((0.5 + values / (2 * limit)).permute(1, 2, 0).numpy(), extent=extent)
            else:
                axes.imshow(values.mean(0).numpy(), cmap=AGAINST_AND_FOR, vmin=-limit, vmax=limit, extent=extent)
        frame(axes)
        axes.spines[:].set(visible=False)
        axes.set(xlim=(-0.05, columns * (1 + GAP)), ylim=(rows * (1 + GAP), -0.05))
        if not is_color:
            scale = ScalarMappable(Normalize(-limit, limit), AGAINST_AND_FOR)
            bar = fig.colorbar(scale, ax=axes, fraction=0.05, pad=0.03)
            bar.set_label("weight", fontsize=SMALL)
            bar.ax.tick_params(labelsize=SMALL, length=2)
        fig.suptitle("\n".join(lines_of(title)), fontsize=LETTERS)
        return save(fig, path, PRINT_DPI)
