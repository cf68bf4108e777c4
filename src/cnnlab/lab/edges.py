"""Edges: a kernel of two numbers finds where an image turns from white to black, and nothing else.

The textbook's image of 6x8 pixels is white with four black columns in the middle. The kernel (1, -1) subtracts each
pixel's right neighbor: 0 within a color, 1 from white to black, -1 from black to white.
"""

import torch

from cnnlab import ops
from cnnlab.figures.maps import draw_maps
from cnnlab.lab.finding import Finding, Settings


def textbook_image() -> torch.Tensor:
    """(1, 1, 6, 8): ones, with columns 3 to 6 of zeros."""
    x = torch.ones(1, 1, 6, 8)
    x[:, :, :, 2:6] = 0
    return x


def experiment(settings: Settings) -> Finding:
    x = textbook_image()
    kernel = torch.tensor([[[[1.0, -1.0]]]])
    vertical = ops.conv2d(x, kernel)[0, 0]
    turned = ops.conv2d(x.mT, kernel)[0, 0]
    columns = {value: [i + 1 for i in range(7) if (vertical[:, i] == value).all()] for value in (1, -1)}
    picture = draw_maps(
        {"image": x[0, 0], "kernel": kernel[0, 0], "edges": vertical, "of the image turned by 90°": turned}
    )
    title = f"The kernel (1, -1) marks column {columns[1][0]} with 1 and column {columns[-1][0]} with -1"
    rows = [" ".join(f"{value:2.0f}" for value in row) for row in vertical.tolist()]
    text = "\n".join(
        [
            "the image, 6 x 8:",
            *(" ".join(f"{value:2.0f}" for value in row) for row in x[0, 0].tolist()),
            "cross-correlated with (1, -1), 6 x 7:",
            *rows,
            f"the turned image gives {'zeros' if not turned.any() else 'edges'}: the kernel sees vertical edges only",
        ]
    )
    return Finding(title, text, {"edges": vertical.tolist(), "turned": turned.tolist()}, picture)
