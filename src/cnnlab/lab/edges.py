"""Edge detection: the kernel (1, -1) responds where a pixel differs from its right neighbor, and nowhere else.

The 6x8 image is white with four black columns in the middle. The kernel subtracts the right neighbor of each pixel
from the pixel itself: the result is 0 within a color, 1 from white to black and -1 from black to white.

Source: Zhang et al., "Dive into Deep Learning", 2023, section 7.2.3, "Object Edge Detection in Images".
"""

import torch
from torch import Tensor

from cnnlab import ops
from cnnlab.figures.maps import draw_maps
from cnnlab.lab.finding import Finding, Settings, text_rows


def textbook_image() -> torch.Tensor:
    """Build the (1, 1, 6, 8) image: ones, with zeros in columns 3 to 6."""
    x = torch.ones(1, 1, 6, 8)
    x[:, :, :, 2:6] = 0
    return x


def conclusion(transposed: Tensor) -> str:
    """What the response to the transposed image, whose edges are horizontal, says about the kernel."""
    if transposed.any():
        return "the response to the transposed image is NOT zero everywhere: this kernel detects other edges too"
    return "the response to the transposed image is zero everywhere: this kernel detects vertical edges only"


def experiment(settings: Settings) -> Finding:
    x = textbook_image()
    kernel = torch.tensor([[[[1.0, -1.0]]]])
    vertical = ops.conv2d(x, kernel)[0, 0]
    transposed = ops.conv2d(x.mT, kernel)[0, 0]
    columns = {value: [i + 1 for i in range(7) if (vertical[:, i] == value).all()] for value in (1, -1)}
    maps = {
        "image": x[0, 0],
        "kernel": kernel[0, 0],
        "response": vertical,
        "response to the transposed image": transposed,
    }
    title = f"The kernel (1, -1) marks column {columns[1][0]} with 1 and column {columns[-1][0]} with -1"
    text = "\n".join(
        [
            "image, 6 x 8:",
            *text_rows(x[0, 0]),
            "cross-correlation with the kernel (1, -1), 6 x 7:",
            *text_rows(vertical),
            conclusion(transposed),
        ]
    )
    return Finding(title, text, {"edges": vertical.tolist(), "turned": transposed.tolist()}, draw_maps(maps))
