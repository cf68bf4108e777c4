"""Draws the digits in this folder: `python docs/drawings/draw.py`.

Strokes are smooth curves through a few points, drawn with a round pen of changing width and a slightly unsteady hand.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Floats = NDArray[np.float64]

FOLDER = Path(__file__).parent
OVERSAMPLED = 3  # strokes are drawn at this scale and reduced, which smooths their edges

SEVEN = [
    [(0.22, 0.26), (0.40, 0.24), (0.58, 0.25), (0.74, 0.23)],
    [(0.74, 0.23), (0.64, 0.42), (0.53, 0.62), (0.45, 0.84)],
]
THREE = [
    [
        (0.30, 0.27), (0.42, 0.18), (0.60, 0.20), (0.66, 0.33), (0.56, 0.44), (0.45, 0.48),
        (0.60, 0.51), (0.70, 0.63), (0.64, 0.78), (0.46, 0.84), (0.29, 0.76),
    ]
]  # fmt: skip
FIVE = [
    [(0.70, 0.20), (0.55, 0.21), (0.37, 0.21)],
    [
        (0.37, 0.21), (0.35, 0.33), (0.34, 0.46), (0.47, 0.42), (0.62, 0.47), (0.68, 0.61),
        (0.60, 0.77), (0.44, 0.82), (0.30, 0.75),
    ],
]  # fmt: skip


def curve(points: list[tuple[float, float]], steps: int = 60) -> Floats:
    """A Catmull-Rom spline through `points`: (n, 2)."""
    p = np.array([points[0], *points, points[-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    parts = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return np.concatenate([*parts, p[-1:]])


def ink(strokes: list[list[tuple[float, float]]], side: int, pen: float, random: np.random.Generator) -> Floats:
    """The strokes as (side, side) in [0, 1], by a pen of about `pen` pixels."""
    large = side * OVERSAMPLED
    image = Image.new("L", (large, large))
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        line = curve(stroke)
        unsteady = np.cumsum(random.normal(0, 0.0007, line.shape), axis=0)
        width = pen * OVERSAMPLED / 2 * (1 + 0.15 * np.sin(np.linspace(0, 5, len(line)) + random.uniform(0, 6)))
        for (x, y), radius in zip((line + unsteady) * large, width, strict=True):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX)) / 255.0


def on_paper(drawn: Floats, paper: tuple[int, int, int], color: tuple[int, int, int]) -> Floats:
    """Ink of a color on paper of another: (H, W, 3)."""
    cover = drawn[..., None]
    return np.array(paper) * (1 - cover) + np.array(color) * cover


def photographed(page: Floats, random: np.random.Generator) -> Image.Image:
    """A page under a lamp at the left, with the shadow of a hand, a tilted camera, blur and noise."""
    side = page.shape[0]
    y, x = np.mgrid[:side, :side] / side
    light = 1.0 - 0.35 * x - 0.15 * y
    shadow = 1 - 0.35 / (1 + np.exp(-(x + 0.6 * y - 1.05) / 0.06))
    lit = Image.fromarray(np.clip(page * (light * shadow)[..., None], 0, 255).astype(np.uint8))
    tilted = lit.rotate(5, Image.Resampling.BICUBIC)
    cut = side // 14
    tilted = tilted.crop((cut, cut, side - cut, side - cut)).filter(ImageFilter.GaussianBlur(1.2))
    noisy = np.asarray(tilted) + random.normal(0, 6, (tilted.height, tilted.width, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def draw_all(folder: Path) -> None:
    """Write the three drawings to `folder`."""
    random = np.random.default_rng(7)
    seven = on_paper(ink(SEVEN, 420, 13, random), (255, 255, 255), (25, 25, 30))
    Image.fromarray(seven.round().astype(np.uint8)).save(folder / "seven.png")
    three = on_paper(ink(THREE, 360, 20, random), (246, 240, 214), (30, 60, 170))
    Image.fromarray(three.round().astype(np.uint8)).save(folder / "three.png")
    five = on_paper(ink(FIVE, 700, 22, random), (236, 234, 228), (45, 45, 60))
    photographed(five, random).save(folder / "five.jpg", quality=85)


if __name__ == "__main__":
    draw_all(FOLDER)
