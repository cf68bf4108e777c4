"""Cross-correlation, which networks call convolution, against the convolution of mathematics.

They differ in one step: the true convolution first rotates the kernel by 180 degrees. The rotation makes it
commutative, so image and kernel can be swapped. The true convolution of the coefficients of two polynomials gives the
coefficients of their product.

Sources: Zhang et al., "Dive into Deep Learning", 2023, section 7.2.5, "Cross-Correlation and Convolution"; Goodfellow,
Bengio and Courville, "Deep Learning", 2016, section 9.1, equations 9.4 (convolution), 9.5 (its commuted form) and 9.6
(cross-correlation).
"""

from collections.abc import Callable

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
    """The cross-correlation of `a` with the kernel `b`, (H, W) or (L,), with full padding."""
    slide = ops.conv2d if a.ndim == 2 else ops.conv1d
    return slide(a[None], b[None, None], padding="full")[0]


def convolve(a: Tensor, b: Tensor) -> Tensor:
    """The true convolution of `a` with the kernel `b`, (H, W) or (L,), with full padding."""
    slide = ops.true_conv2d if a.ndim == 2 else ops.true_conv1d
    return slide(a[None], b[None, None], padding="full")[0]


def polynomial(coefficients: Tensor) -> str:
    """Format the polynomial with these coefficients: `1 + 2x + 3x^2` for (1, 2, 3)."""
    powers = ["", "x", *(f"x^{power}" for power in range(2, len(coefficients)))]
    return " + ".join(f"{value:.0f}{power}" for value, power in zip(coefficients.tolist(), powers, strict=True))


def compare() -> dict[str, list[bool]]:
    """Whether each identity holds for (IMAGE, KERNEL) and for (FIRST, SECOND)."""
    pairs = ((IMAGE, KERNEL), (FIRST, SECOND))
    return {
        "cross-correlation with the rotated kernel = convolution": [
            torch.equal(correlate(a, _rotate(b)), convolve(a, b)) for a, b in pairs
        ],
        "convolution is commutative": [torch.equal(convolve(a, b), convolve(b, a)) for a, b in pairs],
        "cross-correlation is commutative": [torch.equal(correlate(a, b), correlate(b, a)) for a, b in pairs],
        "swapping operands rotates the cross-correlation": [
            torch.equal(correlate(a, b), _rotate(correlate(b, a))) for a, b in pairs
        ],
    }


def written_by(operation: Callable[[Tensor, Tensor], Tensor]) -> str:
    """What `operation` with KERNEL makes of a single bright pixel."""
    around = operation(torch.ones(1, 1), KERNEL)
    forms = {"kernel": KERNEL, "kernel rotated by 180°": _rotate(KERNEL)}
    return next((name for name, form in forms.items() if torch.equal(around, form)), "NEITHER form of the kernel")


def experiment(settings: Settings) -> Finding:
    answers = compare()
    product = convolve(FIRST, SECOND)
    is_convolution = all(answers["cross-correlation with the rotated kernel = convolution"])
    title = (
        f"Cross-correlation with the kernel rotated by 180° {'is' if is_convolution else 'is NOT'} convolution, which "
        "also multiplies polynomials: "
        f"({polynomial(FIRST)})({polynomial(SECOND)}) = {polynomial(product)}"
    )
    text = "\n".join(
        [
            "full padding; all values are integers, so equal results are identical:",
            f"{'':56}{'image':>8}{'1-D':>8}",
            *(
                f"{question:<56}" + "".join(f"{'yes' if answer else 'no':>8}" for answer in row)
                for question, row in answers.items()
            ),
            "",
            f"1-D: a = {polynomial(FIRST)} and b = {polynomial(SECOND)}, coefficients in ascending order:",
            f"  convolution of a with b        {_numbers(product)}   the product: {polynomial(product)}",
            f"  convolution of b with a        {_numbers(convolve(SECOND, FIRST))}",
            f"  cross-correlation of a with b  {_numbers(correlate(FIRST, SECOND))}",
            f"  cross-correlation of b with a  {_numbers(correlate(SECOND, FIRST))}",
            "",
            f"Around a single bright pixel, convolution writes the {written_by(convolve)}, and cross-correlation the",
            f"{written_by(correlate)}. A network learns its kernels, so with either operation it can compute the same",
            "functions.",
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
    """Draw both operations on image and kernel, with the operands swapped below, and the polynomials."""
    coefficients = torch.zeros(3, len(product))
    for row, values in zip(coefficients, (FIRST, SECOND, product), strict=True):
        row[: len(values)] = values
    return draw_maps(
        {
            "image": IMAGE,
            "kernel": KERNEL,
            "cross-correlation of image with kernel": correlate(IMAGE, KERNEL),
            "convolution of image with kernel": convolve(IMAGE, KERNEL),
            "coefficients of 1 + 2x + 3x², 4 + 5x, product": coefficients,
            "kernel rotated by 180°": ops.flip_kernel(KERNEL),
            "cross-correlation of kernel with image (differs)": correlate(KERNEL, IMAGE),
            "convolution of kernel with image (equal)": convolve(KERNEL, IMAGE),
        },
        per_row=4,
    )


def _rotate(values: Tensor) -> Tensor:
    return values.flip(list(range(values.ndim)))


def _numbers(values: Tensor) -> str:
    return " ".join(f"{value:3.0f}" for value in values.tolist())
