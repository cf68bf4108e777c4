"""A reliability diagram: how often a network is right, against how often it says so."""

from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from cnnlab.figures.fonts import fonts_for
from cnnlab.figures.overlay import LETTERS, SMALL, lines_of
from cnnlab.figures.style import COLUMN, PALETTE, PRINT_DPI, figure, save, styled


@styled
def draw_reliability(counts: Tensor, confidence: Tensor, accuracy: Tensor, title: str, path: Path) -> Path:
    """Draw accuracy against confidence, and the number of images in each bin below it.

    Args:
        counts: (bins,) images in bins of equal width between 0 and 1.
        confidence, accuracy: (bins,) mean confidence and accuracy of a bin's images, in [0, 1].
        title: the title of the figure.
        path: the PNG file to write.

    Returns:
        `path`.
    """
    edges = np.linspace(0, 100, len(counts) + 1)
    filled = (counts > 0).numpy()
    middles, width = (edges[:-1] + edges[1:])[filled] / 2, 0.92 * 100 / len(counts)
    right, said = 100 * accuracy.numpy()[filled], 100 * confidence.numpy()[filled]
    with fonts_for((title,)):
        fig = figure(COLUMN, 3.5 + 0.14 * len(lines_of(title)))
        upper, lower = fig.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.bar(middles, right, width, color=PALETTE[5], label="accuracy")
        upper.bar(
            middles, said - right, width, bottom=right, color="none", edgecolor=PALETTE[1], hatch="//////",
            linewidth=0.6, label="gap to the confidence",
        )  # fmt: skip
        upper.plot([0, 100], [0, 100], color="black", linewidth=0.9, linestyle=(0, (4, 2)), label="perfect calibration")
        upper.set(xlim=(0, 100), ylim=(0, 102))
        upper.set_ylabel("accuracy, %", fontsize=LETTERS)
        lower.bar(middles, counts.numpy()[filled], width, color="#777777")
        lower.set_yscale("log")
        lower.set_ylim(bottom=0.7)
        lower.set_ylabel("images", fontsize=LETTERS)
        lower.set_xlabel("confidence: probability of the predicted class, %", fontsize=LETTERS)
        upper.yaxis.set_major_locator(MaxNLocator(5))
        for axes in (upper, lower):
            axes.tick_params(labelsize=SMALL)
            axes.set_axisbelow(True)
        fig.align_ylabels()
        fig.legend(loc="outside lower center", ncols=3, fontsize=SMALL, columnspacing=1, handlelength=1.6)
        fig.suptitle("\n".join(lines_of(title)), fontsize=LETTERS)
        return save(fig, path, PRINT_DPI)
