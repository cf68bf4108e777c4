"""Cross-correlation, which networks call convolution, against the convolution of mathematics.

They are the same but for the kernel, which the true convolution turns by 180 degrees. The turn is what makes it
commute: image and kernel may change places. The product of two polynomials is the true convolution of their
coefficients.
"""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from cnnlab import ops
from cnnlab.figures.maps import draw_maps
from cnnlab.lab.finding import Finding, Settings

IMAGE = torch.tensor([[0.0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 2, 0], [0, 0, 0, 0, 0]])
KERNEL = torch.tensor([[1.0, 2, 3], [4, 0, 0], [5, 0, 0]])
FIRST, SECOND = torch.tensor([1.0, 2, 3]), torch.tensor([4.0, 5])  # 1 + 2x + 3x^2 and 4 + 5x


def correlate(a: Tensor, b: Tensor) -> Tensor:
    """`b` slid over `a`, with every overlap: (H, W) or (L,)."""
    slide = ops.conv2d if a.ndim == 2 else ops.conv1d
    return slide(a[None], b[None, None], padding="full")[0]


def convolve(a: Tensor, b: Tensor) -> Tensor:
    """The true convolution of `a` and `b`, with every overlap: (H, W) or (L,)."""
    slide = ops.true_conv2d if a.ndim == 2 else ops.true_conv1d
    return slide(a[None], b[None, None], padding="full")[0]


def polynomial(coefficients: Tensor) -> str:
    """1 + 2x + 3x^2, for (1, 2, 3)."""
    powers = ["", "x", *(f"x^{power}" for power in range(2, len(coefficients)))]
    return " + ".join(f"{value:.0f}{power}" for value, power in zip(coefficients.tolist(), powers, strict=True))


def compare() -> dict[str, list[bool]]:
    """What holds for the image with the kernel, and for the two polynomials' coefficients."""
    pairs = ((IMAGE, KERNEL), (FIRST, SECOND))
    return {
        "cross-correlation with the turned kernel = convolution": [
            torch.equal(correlate(a, _turn(b)), convolve(a, b)) for a, b in pairs
        ],
        "convolution commutes": [torch.equal(convolve(a, b), convolve(b, a)) for a, b in pairs],
        "cross-correlation commutes": [torch.equal(correlate(a, b), correlate(b, a)) for a, b in pairs],
        "exchanged, the cross-correlation is turned": [
            torch.equal(correlate(a, b), _turn(correlate(b, a))) for a, b in pairs
        ],
    }


def experiment(settings: Settings) -> Finding:
    answers = compare()
    product = convolve(FIRST, SECOND)
    title = (
        "With the kernel turned by 180° cross-correlation is convolution, which commutes: "
        f"({polynomial(FIRST)})({polynomial(SECOND)}) = {polynomial(product)}"
    )
    text = "\n".join(
        [
            "with full padding, integers, so that equal means every bit:",
            f"{'':56}{'image':>8}{'1-D':>8}",
            *(
                f"{question:<56}" + "".join(f"{'yes' if answer else 'no':>8}" for answer in row)
                for question, row in answers.items()
            ),
            "",
            f"in 1-D: ({polynomial(FIRST)})({polynomial(SECOND)}), coefficients by rising power:",
            f"  convolution        {_numbers(product)}   the product: {polynomial(product)}",
            f"  exchanged          {_numbers(convolve(SECOND, FIRST))}",
            f"  cross-correlation  {_numbers(correlate(FIRST, SECOND))}",
            f"  exchanged          {_numbers(correlate(SECOND, FIRST))}",
            "",
            "a single bright pixel is answered with the kernel by convolution, with the turned kernel by",
            "cross-correlation; a network that learns its kernels learns them turned, and need not care",
        ]
    )
    values = {
        "answers": answers,
        "product": product.tolist(),
        "correlation": correlate(IMAGE, KERNEL).tolist(),
        "convolution": convolve(IMAGE, KERNEL).tolist(),
    }
    return Finding(title, text, values, draw(product))


def draw(product: Tensor) -> Figure:
    """Both of the image, and both with image and kernel exchanged; the polynomials' coefficients."""
    coefficients = torch.zeros(3, len(product))
    for row, values in zip(coefficients, (FIRST, SECOND, product), strict=True):
        row[: len(values)] = values
    return draw_maps(
        {
            "image": IMAGE,
            "kernel": KERNEL,
            "cross-correlation: kernel turned": correlate(IMAGE, KERNEL),
            "convolution: kernel as it is": convolve(IMAGE, KERNEL),
            "1 + 2x + 3x², 4 + 5x, product": coefficients,
            "kernel, turned": ops.flip_kernel(KERNEL),
            "exchanged: another result": correlate(KERNEL, IMAGE),
            "exchanged: the same": convolve(KERNEL, IMAGE),
        },
        per_row=4,
    )


def _turn(values: Tensor) -> Tensor:
    return values.flip(list(range(values.ndim)))


def _numbers(values: Tensor) -> str:
    return " ".join(f"{value:3.0f}" for value in values.tolist())
