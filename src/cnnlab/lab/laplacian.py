"""Laplacian, Sobel, blurring and sharpening: what kernels that people chose find in a photograph.

A kernel whose numbers sum to 0 gives 0 wherever the picture is even, so that edges are left; one whose numbers sum to
1 keeps the picture's brightness.
"""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from cnnlab import ops
from cnnlab.figures.maps import draw_map, mark
from cnnlab.figures.style import figure, styled
from cnnlab.lab.finding import Finding, Settings
from cnnlab.lab.photograph import photograph

LAPLACIAN = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
SOBEL = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])  # grows to the right; its transpose, downward
BOX = torch.ones(5, 5) / 25
BINOMIAL = torch.tensor([1.0, 4, 6, 4, 1])
GAUSSIAN = torch.outer(BINOMIAL, BINOMIAL) / 256  # near the bell curve of standard deviation 1
SHARPEN = torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]) - LAPLACIAN

KERNELS = {
    "Laplacian": LAPLACIAN, "Sobel across": SOBEL, "Sobel down": SOBEL.T,
    "box": BOX, "Gaussian": GAUSSIAN, "sharpen": SHARPEN,
}  # fmt: skip
DIVISORS = {"box": 25, "Gaussian": 256}
STRONGEST = 0.05  # of the pixels
DETAIL = (120, 160)  # pixels that are enlarged, where there is most to see


def apply_kernel(picture: Tensor, kernel: Tensor) -> Tensor:
    """`picture` (H, W) cross-correlated with `kernel` (U, V), where that lies inside: (H - U + 1, W - V + 1)."""
    return ops.conv2d(picture[None], kernel[None, None])[0]


def gradient_of(picture: Tensor) -> Tensor:
    """The length of Sobel's two numbers at each pixel: (H, W) to (H - 2, W - 2)."""
    return torch.hypot(apply_kernel(picture, SOBEL), apply_kernel(picture, SOBEL.T))


def experiment(settings: Settings) -> Finding:
    picture = photograph(settings.image)
    results = {name: apply_kernel(picture, kernel) for name, kernel in KERNELS.items()}
    gradient = gradient_of(picture)
    sizes = results["Laplacian"].abs().flatten()
    strongest = sizes.topk(round(STRONGEST * len(sizes))).indices
    steeper = (gradient.flatten()[strongest].mean() / gradient.mean()).item()
    rows = {
        name: {
            "sum": KERNELS[name].sum().item(),
            "mean": result.mean().item(),
            "deviation": result.std().item(),
            "below a tenth": (result.abs() < 0.1).float().mean().item(),
        }
        for name, result in results.items()
    }
    title = (
        f"The Laplacian is below 0.1 on {rows['Laplacian']['below a tenth']:.0%} of the photograph, and its strongest "
        f"{STRONGEST:.0%} lie where the picture is {steeper:.1f} times as steep as on average"
    )
    text = "\n".join(
        [
            f"a photograph of {picture.shape[0]} x {picture.shape[1]} grays from 0 to 1, mean {picture.mean():.3f}, "
            f"standard deviation {picture.std():.3f}",
            "",
            f"{'kernel':<14}{'size':>5}{'sum':>7}{'mean':>9}{'deviation':>11}{'below 0.1':>11}",
            *(
                f"{name:<14}{'x'.join(map(str, KERNELS[name].shape)):>5}{row['sum']:>7.0f}"
                f"{round(row['mean'], 3) + 0:>9.3f}{row['deviation']:>11.3f}{row['below a tenth']:>10.0%}"
                for name, row in rows.items()
            ),
            "",
            "sum 0: nothing is left of an even area; sum 1: brightness stays, and the deviation falls or grows",
            "sharpened = photograph - Laplacian",
        ]
    )
    values = {"kernels": rows, "steeper": steeper}
    return Finding(title, text, values, draw(picture, results, gradient))


@styled
def draw(picture: Tensor, results: dict[str, Tensor], gradient: Tensor) -> Figure:
    """Edges of the whole photograph above, a detail blurred and sharpened below; each with its kernel."""
    top, left = liveliest(gradient, DETAIL)
    height, width = DETAIL

    def detail(result: Tensor) -> Tensor:
        border = (picture.shape[0] - result.shape[0]) // 2
        return result[max(0, top - border) :, max(0, left - border) :][: height - 4, : width - 4]

    panels = [
        ("photograph", picture), ("Laplacian", results["Laplacian"]), ("Sobel across", results["Sobel across"]),
        ("Sobel, both directions: length", gradient), ("detail", detail(picture)), ("box", detail(results["box"])),
        ("Gaussian", detail(results["Gaussian"])), ("sharpen", detail(results["sharpen"]).clamp(0, 1)),
    ]  # fmt: skip
    across = 2.9
    tall = across * (picture.shape[0] / picture.shape[1] + (height - 4) / (width - 4))
    drawn = figure(4 * across, tall + 0.6)
    ratios = (picture.shape[0] / picture.shape[1], (height - 4) / (width - 4))
    for axes, (name, values) in zip(drawn.subplots(2, 4, height_ratios=ratios).ravel(), panels, strict=True):
        divisor = DIVISORS.get(name, 1)
        draw_map(axes, values, f"{name}, times 1/{divisor}" if divisor > 1 else name)
        if name in KERNELS:
            wide = 0.058 * len(KERNELS[name])
            inset = axes.inset_axes((0.015, 0.02, wide, wide * values.shape[1] / values.shape[0]))
            draw_map(inset, KERNELS[name] * divisor, "", letters=5.5)
    mark(drawn.axes[0], top, left, DETAIL)
    return drawn


def liveliest(gradient: Tensor, size: tuple[int, int]) -> tuple[int, int]:
    """The top left corner of the window of at most `size` over which `gradient` is largest."""
    height, width = (min(wanted, have) for wanted, have in zip(size, gradient.shape, strict=True))
    means = ops.avg_pool2d(gradient[None], (height, width), stride=1)[0]
    top, left = divmod(int(means.argmax()), means.shape[1])
    return top, left
