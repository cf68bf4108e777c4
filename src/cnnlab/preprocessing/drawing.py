"""Drawings of one symbol, on paper or on a screen, brought to the form of MNIST: light strokes on black, centered.

MNIST's authors scaled each digit into a box of 20 x 20 pixels and placed its center of mass at the center of 28 x 28
(LeCun et al., 1998, section III.A). A photograph has shadows besides, and a thin pen leaves strokes that would fade
when they are reduced to this size.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from cnnlab.image_spec import Drawing

Grays = NDArray[np.float32]

WORKING_SIZE = 256  # pixels of the longer side in which a drawing is examined
SPECK = 0.03  # fraction of the largest stroke's area below which a spot is not part of the drawing
STROKE = 2.2  # pixels of the thinnest stroke in a box of 20 pixels; MNIST's strokes have 2 to 4
SHADOW = 0.3  # fraction of a stroke's threshold below which a pixel is ground
FAINTEST = 8  # gray levels of a stroke above the ground
FRAME = 0.15  # width of the border in which the ground is looked for first, of half an image
# Of the polynomials that are fitted to the ground one after another, each without the outliers of the last.
DEGREES = (2, 2, 2, 3, 4, 4, 4)
OUTLIER = 4.0  # times the median distance from the ground
SAMPLE = 4000  # pixels that are enough for a fit


def has_light_border(gray: Grays) -> bool:
    """Whether the lower quartile of an image's border (H, W) is above half of its lightest gray value.

    None of the 141,797 images of MNIST, Fashion-MNIST and scikit-learn's digits has such a border.
    """
    border = np.concatenate([gray[0], gray[-1], gray[1:-1, 0], gray[1:-1, -1]])
    return bool(np.quantile(border, 0.25) > gray.max() / 2)


def relief_of(gray: Grays) -> Grays:
    """The difference of an image (H, W) from its ground, in gray levels: strokes are above or below 0.

    The ground is paper or a screen with its shadows: a smooth surface through the pixels that are not strokes. The
    longer side of the result has at most 256 pixels.
    """
    scale = WORKING_SIZE / max(gray.shape)
    if scale < 1:
        size = [max(1, round(side * scale)) for side in reversed(gray.shape)]
        gray = np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.BOX))
    y, x = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in gray.shape), indexing="ij")
    flat = gray.reshape(-1)
    exponents = [(i, degree - i) for degree in range(max(DEGREES) + 1) for i in range(degree + 1)]
    powers = np.stack([(x**i * y**j).reshape(-1) for i, j in exponents], axis=-1)
    ground, relief = np.flatnonzero(np.maximum(abs(x), abs(y)) > 1 - FRAME), flat  # strokes seldom reach the border
    for degree in DEGREES:
        terms = powers[:, : (degree + 1) * (degree + 2) // 2]
        sample = ground[:: max(1, len(ground) // SAMPLE)]
        relief = flat - terms @ np.linalg.lstsq(terms[sample], flat[sample], rcond=None)[0]
        ground = np.flatnonzero(np.abs(relief) <= max(OUTLIER * np.median(np.abs(relief)), 2))
    return relief.reshape(gray.shape)


def is_dark_on_light(relief: Grays) -> bool:
    """Whether the strokes of a relief are below its ground."""
    outliers = relief[np.abs(relief) > max(OUTLIER * np.median(np.abs(relief)), FAINTEST)]
    return bool(outliers.sum() < 0)


def ink_of(relief: Grays) -> Grays:
    """The strokes above the ground of a relief (H, W): 0 on the ground, up to 1 on a stroke.

    Specks are removed. The result is 0 everywhere if there are no strokes.
    """
    above = relief[relief > FAINTEST]
    if not above.size:
        return np.zeros_like(relief)
    threshold = _otsu(above)
    strokes = relief > threshold
    labels, count = ndimage.label(strokes, np.ones((3, 3)))
    areas = ndimage.sum_labels(strokes, labels, np.arange(count + 1))
    kept = ndimage.binary_dilation(np.isin(labels, np.flatnonzero(areas >= SPECK * areas.max())), iterations=2)
    low, high = SHADOW * threshold, float(np.median(relief[strokes]))
    ink = np.clip((relief - low) / max(high - low, 1e-6), 0, 1)
    return np.where(kept, ink, 0).astype(np.float32)


def _otsu(values: NDArray[np.floating]) -> float:
    """The threshold that best separates two groups of values (Otsu, 1979)."""
    counts, edges = np.histogram(values, 256)
    centers = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centers)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1:][np.argmax(np.nan_to_num(between, nan=-1, posinf=-1))])


def centered(ink: Grays, side: int, drawing: Drawing) -> NDArray[np.uint8]:
    """Place strokes in a square image, as a dataset of drawings does.

    Args:
        ink: (H, W) in [0, 1], not 0 everywhere.
        side: of the result, in pixels.
        drawing: size and center of the strokes in the result.

    Returns:
        uint8 (side, side).
    """
    drawn = ink > 0.25
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    cut = _thickened(cut)
    scale = drawing.box / max(cut.shape)
    height, width = (max(1, round(length * scale)) for length in cut.shape)
    small = np.asarray(Image.fromarray(cut).resize((width, height), Image.Resampling.BILINEAR))
    small = small / max(float(small.max()), 1e-6)
    if drawing.center == "mass":
        y, x = ndimage.center_of_mass(small)
        y, x = y + 0.5, x + 0.5
    else:
        y, x = height / 2, width / 2
    top = min(max(round(side / 2 - y), 0), side - height)
    left = min(max(round(side / 2 - x), 0), side - width)
    result = np.zeros((side, side), dtype=np.uint8)
    result[top : top + height, left : left + width] = np.rint(255 * small)
    return result


def _thickened(ink: Grays) -> Grays:
    """Strokes that would be thinner than STROKE pixels of a box of 20 pixels, made that thick."""
    strokes = np.pad(ink > 0.5, 1)
    # Across a stroke of width w, the distances to its edge are 1, 2, ..., w/2, ..., 2, 1, on average w/4 + 1/2.
    width = 4 * ndimage.distance_transform_edt(strokes)[strokes].mean() - 2 if strokes.any() else 1
    needed = STROKE * max(ink.shape) / 20
    grow = round((needed - width) / 2)
    if grow < 1:
        return ink
    padded = np.pad(ink, grow)
    return ndimage.grey_dilation(padded, footprint=_disk(grow))


def _disk(radius: int) -> NDArray[np.bool_]:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return x**2 + y**2 <= radius**2 + 0.5
