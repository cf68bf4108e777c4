"""Laplacian, Sobel, blurring and sharpening: the effect of hand-designed kernels on a photograph.

A kernel whose elements sum to 0 responds with 0 wherever the image is uniform, so only edges remain. A kernel whose
elements sum to 1 preserves the mean brightness.

Source: Gonzalez and Woods, "Digital Image Processing", 4th edition, 2018, sections 3.5 (box and Gaussian kernels) and
3.6 (Laplacian, sharpening and Sobel kernels).
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
SOBEL = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])  # brightness grows to the right; transposed: downward
BOX = torch.ones(5, 5) / 25
BINOMIAL = torch.tensor([1.0, 4, 6, 4, 1])
GAUSSIAN = torch.outer(BINOMIAL, BINOMIAL) / 256  # approximates a Gaussian with standard deviation 1
SHARPEN = torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]) - LAPLACIAN

KERNELS = {
    "Laplacian": LAPLACIAN, "Sobel x": SOBEL, "Sobel y": SOBEL.T,
    "box": BOX, "Gaussian": GAUSSIAN, "sharpen": SHARPEN,
}  # fmt: skip
DIVISORS = {"box": 25, "Gaussian": 256}
STRONGEST = 0.05  # fraction of the pixels with the largest response
DETAIL = (120, 160)  # height and width of the enlarged detail, in pixels


def apply_kernel(image: Tensor, kernel: Tensor) -> Tensor:
    """Cross-correlate `image` (H, W) with `kernel` (U, V) without padding: (H - U + 1, W - V + 1)."""
    return ops.conv2d(image[None], kernel[None, None])[0]


def gradient_of(image: Tensor) -> Tensor:
    """The magnitude of the Sobel gradient at each pixel: (H, W) to (H - 2, W - 2)."""
    return torch.hypot(apply_kernel(image, SOBEL), apply_kernel(image, SOBEL.T))


def experiment(settings: Settings) -> Finding:
    image = photograph(settings.image)
    results = {name: apply_kernel(image, kernel) for name, kernel in KERNELS.items()}
    gradient = gradient_of(image)
    strongest = results["Laplacian"].abs().flatten().topk(round(STRONGEST * gradient.numel())).indices
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
        f"The Laplacian is below 0.1 at {rows['Laplacian']['below a tenth']:.0%} of the pixels; where it is strongest "
        f"(top {STRONGEST:.0%}), the image gradient is {steeper:.1f} times its average"
    )
    text = "\n".join(
        [
            f"photograph of {image.shape[0]} x {image.shape[1]} gray values from 0 to 1, mean {image.mean():.3f}, "
            f"standard deviation {image.std():.3f}",
            "",
            f"{'':<14}{'kernel':>12}{'response of the photograph to the kernel':>45}",
            f"{'':<14}{'size':>5}{'sum':>7}{'mean':>9}{'standard deviation':>21}{'|value| < 0.1':>15}",
            *(
                f"{name:<14}{'x'.join(map(str, KERNELS[name].shape)):>5}{row['sum']:>7.0f}"
                f"{round(row['mean'], 3) + 0:>9.3f}{row['deviation']:>21.3f}{row['below a tenth']:>15.0%}"
                for name, row in rows.items()
            ),
            "",
            *conclusions(image, results),
        ]
    )
    return Finding(title, text, {"kernels": rows, "steeper": steeper}, draw(image, results, gradient))


def conclusions(image: Tensor, results: dict[str, Tensor]) -> list[str]:
    """What the kernels do to the mean and the standard deviation of `image`, given its response to each of them."""
    mean, deviation = image.mean(), image.std()
    moved = max(float((results[name].mean() - mean).abs()) for name in ("box", "Gaussian", "sharpen"))
    blurs = max(results["box"].std(), results["Gaussian"].std()) < deviation
    sharpens = results["sharpen"].std() > deviation
    subtracts = torch.allclose(results["sharpen"], image[1:-1, 1:-1] - results["Laplacian"], atol=1e-5)
    return [
        "sum 0: the response to a uniform area is 0",
        f"sum 1: the mean changes by at most {moved:.3f}; blurring {'lowers' if blurs else 'does NOT lower'} the "
        f"standard deviation and sharpening {'raises' if sharpens else 'does NOT raise'} it",
        f"sharpened photograph {'=' if subtracts else 'is NOT'} photograph - Laplacian",
    ]


@styled
def draw(image: Tensor, results: dict[str, Tensor], gradient: Tensor) -> Figure:
    """Draw the edges of the photograph above a blurred and sharpened detail, each with its kernel."""
    top, left = steepest_window(gradient, DETAIL)
    height, width = DETAIL

    def detail(result: Tensor) -> Tensor:
        border = (image.shape[0] - result.shape[0]) // 2
        return result[max(0, top - border) :, max(0, left - border) :][: height - 4, : width - 4]

    panels = [
        ("photograph", image), ("Laplacian", results["Laplacian"]), ("Sobel x", results["Sobel x"]),
        ("magnitude of the Sobel gradient", gradient), ("detail", detail(image)), ("box", detail(results["box"])),
        ("Gaussian", detail(results["Gaussian"])), ("sharpen", detail(results["sharpen"]).clamp(0, 1)),
    ]  # fmt: skip
    panel_width = 2.9
    ratios = (image.shape[0] / image.shape[1], (height - 4) / (width - 4))
    fig = figure(4 * panel_width, panel_width * sum(ratios) + 0.6)
    for axes, (name, values) in zip(fig.subplots(2, 4, height_ratios=ratios).ravel(), panels, strict=True):
        divisor = DIVISORS.get(name, 1)
        draw_map(axes, values, f"{name}, kernel times 1/{divisor}" if divisor > 1 else name)
        if name in KERNELS:
            side = 0.058 * len(KERNELS[name])
            inset = axes.inset_axes((0.015, 0.02, side, side * values.shape[1] / values.shape[0]))
            draw_map(inset, KERNELS[name] * divisor, "", letters=5.5)
    mark(fig.axes[0], top, left, DETAIL)
    return fig


def steepest_window(gradient: Tensor, size: tuple[int, int]) -> tuple[int, int]:
    """The top left corner of the window of at most `size` with the largest mean `gradient`."""
    height, width = map(min, size, gradient.shape)
    means = ops.avg_pool2d(gradient[None], (height, width), stride=1)[0]
    return divmod(int(means.argmax()), means.shape[1])
