"""Images beside what augmentation makes of them."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from cnnlab.figures.fonts import fonts_for
from cnnlab.figures.image_grid import GAP, LINE, Page, whole_pixels
from cnnlab.figures.style import DPI, styled

SIDE = 0.8  # inches of an image, about
SMALL = 16 / DPI  # inches of a line of a caption
NAMES = 162 / DPI  # inches for the names of the rows
APART = 16 / DPI  # inches between the originals and their versions


@styled
def draw_augmented(
    originals: Tensor,
    versions: Sequence[Tensor],
    names: Sequence[str],
    headings: Sequence[str],
    title: str,
    captions: Sequence[Sequence[str]] = (),
) -> Figure:
    """Draw one row for each image: its name, the image, and its versions.

    Args:
        originals: (N, C, H, W), uint8 or floats in [0, 1].
        versions: for each column, the N images (N, C, H', W').
        names: left of the rows.
        headings: above the columns, the first of the originals.
        title: the title of the figure.
        captions: for each column of `versions`, the text below each image, of one or more lines; may be empty.
    """
    lines = max((text.count("\n") + 1 for column in captions for text in column if text), default=0)
    side = whole_pixels(SIDE, originals)
    step, below = side + GAP, side + GAP + lines * SMALL
    first = NAMES + 2 * GAP
    with fonts_for((*names, title, *(text for column in captions for text in column))):
        page = Page(first + (1 + len(versions)) * step + APART, LINE + 2 * GAP + len(originals) * below, title)
        lefts = [first, *(first + APART + step * (column + 1) for column in range(len(versions)))]
        for left, heading in zip(lefts, headings, strict=True):
            page.text(heading, left + side / 2, 1.5 * GAP, step)
        for row, name in enumerate(names):
            top = 2 * GAP + LINE + row * below
            page.text(name, first - GAP, top + side / 2, NAMES, ha="right", fontsize=9)
            for left, images in zip(lefts, (originals, *versions), strict=True):
                page.image(images[row], left, top, side)
            for left, column in zip(lefts[1:], captions, strict=False):
                for number, text in enumerate(column[row].split("\n")):
                    page.text(text, left + side / 2, top + side + (number + 0.6) * SMALL, side, fontsize=6.5)
    return page.fig


def mixture_of(target: Tensor, labels: Sequence[str]) -> str:
    """The classes of a mixed image, a line each."""
    fractions, classes = target.topk(2)
    parts = zip(fractions.tolist(), classes.tolist(), strict=True)
    return "\n".join(f"{100 * fraction:.0f} % {labels[number]}" for fraction, number in parts if fraction > 0.005)
