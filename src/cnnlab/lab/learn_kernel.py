"""Learn a kernel from an image and its edges alone, by gradient descent on the sum of squared errors.

A grouped convolution learns (1, -1) from a hundred random starts in parallel. The losses of the groups are summed, so
the groups do not affect each other. The Laplacian is learned in the same way from the photograph and its edges. There,
neighboring pixels are nearly equal, so the loss is steep in few directions and flat in most, and gradient descent is
slow. L-BFGS, which estimates the curvature, converges in a few steps.

Source: Zhang et al., "Dive into Deep Learning", 2023, section 7.2.4, "Learning a Kernel", which takes the sum.
"""

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from cnnlab import ops
from cnnlab.figures.maps import draw_map
from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.edges import textbook_image
from cnnlab.lab.finding import Finding, Settings
from cnnlab.lab.laplacian import LAPLACIAN, apply_kernel, gradient_of, steepest_window
from cnnlab.lab.photograph import photograph

TARGET = torch.tensor([1.0, -1.0])
NOTES = (1.0110, -1.0125)  # the kernel of the single run in the study notes; its bias is 0.0008
STARTS, STEPS, LEARNING_RATE = 100, 40, 0.01
SHOWN_START = 0
TILE = 96  # side in pixels of the part of the photograph with the largest gradients
GD_STEPS, LBFGS_STEPS = 200, 40


def random_starts(first_seed: int) -> tuple[Tensor, Tensor]:
    """PyTorch's initialization of a 1x2 convolution for a hundred seeds: weights (100, 1, 1, 2), biases (100,)."""
    layers = []
    with torch.random.fork_rng(devices=[]):
        for seed in range(first_seed, first_seed + STARTS):
            torch.manual_seed(seed)
            layers.append(nn.Conv2d(1, 1, kernel_size=(1, 2)))
    weights, biases = ([getattr(layer, name).detach() for layer in layers] for name in ("weight", "bias"))
    return torch.cat(weights), torch.cat(biases)


def descend(first_seed: int, mean: bool) -> tuple[Tensor, Tensor]:
    """Learn (1, -1) from STARTS random starts.

    Args:
        first_seed: seed of the first start; each further start takes the next seed.
        mean: use the mean of the squared errors instead of their sum.

    Returns:
        Kernels (STEPS + 1, STARTS, 2) and biases (STEPS + 1, STARTS) before the first step and after each step.
    """
    x = textbook_image()
    y = ops.conv2d(x, TARGET.reshape(1, 1, 1, 2))
    weight, bias = (start.requires_grad_() for start in random_starts(first_seed))
    kernels, biases = [weight.detach().clone()], [bias.detach().clone()]
    for _ in range(STEPS):
        error = ops.conv2d(x.expand(-1, STARTS, -1, -1), weight, bias, groups=STARTS) - y
        loss = error.square().sum() / (y.numel() if mean else 1)
        for parameter, gradient in zip((weight, bias), torch.autograd.grad(loss, (weight, bias)), strict=True):
            parameter.data -= LEARNING_RATE * gradient
        kernels.append(weight.detach().clone())
        biases.append(bias.detach().clone())
    return torch.stack(kernels).flatten(2), torch.stack(biases)


def learn_laplacian(image: Tensor) -> tuple[dict[str, Tensor], float]:
    """Learn the Laplacian from `image` and its edges, starting from zeros, in float64.

    Returns:
        The kernels that gradient descent and L-BFGS learn, and the condition number of the loss: the ratio of its
        largest to its smallest curvature.
    """
    image = image.double()
    windows = image.unfold(0, 3, 1).unfold(1, 3, 1).flatten(2).flatten(0, 1)
    curvatures = torch.linalg.eigvalsh(2 * windows.T @ windows / len(windows))
    first, second = (torch.zeros(3, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    minimize(image, first, torch.optim.SGD([first], lr=float(1 / curvatures[-1])), GD_STEPS)
    minimize(image, second, torch.optim.LBFGS([second], max_iter=1, line_search_fn="strong_wolfe"), LBFGS_STEPS)
    learned = {"gradient descent": first.detach(), "L-BFGS": second.detach()}
    return learned, float(curvatures[-1] / curvatures[0])


def minimize(image: Tensor, kernel: Tensor, optimizer: torch.optim.Optimizer, steps: int) -> None:
    """Minimize the mean squared difference between the responses of `image` to `kernel` and to the Laplacian."""
    edges = apply_kernel(image, LAPLACIAN.double())

    def loss() -> float:
        value = (apply_kernel(image, kernel) - edges).square().mean()
        (kernel.grad,) = torch.autograd.grad(value, kernel)
        return value.item()

    for _ in range(steps):
        optimizer.step(loss)


def at_stages(error: Tensor) -> dict[str, dict[str, float]]:
    """Summarize the largest errors (STEPS + 1, STARTS) after 20 and after 40 steps."""
    return {
        str(steps): {
            "median": error[steps].median().item(),
            "least": error[steps].min().item(),
            "most": error[steps].max().item(),
            "within 0.15": (error[steps] <= 0.15).float().mean().item(),
            "within 0.02": (error[steps] <= 0.02).float().mean().item(),
        }
        for steps in (20, 40)
    }


def table(stages: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """Format the summaries, one line per loss and number of steps."""
    header = f"{'loss':<18}{'steps':>7}{'median':>9}{'min':>9}{'max':>9}{'error <= 0.15':>16}{'error <= 0.02':>16}"
    rows = [
        f"{f'{name} of squares':<18}{steps:>7}{row['median']:>9.3f}{row['least']:>9.3f}{row['most']:>9.3f}"
        f"{row['within 0.15']:>16.0%}{row['within 0.02']:>16.0%}"
        for name, by_steps in stages.items()
        for steps, row in by_steps.items()
    ]
    return [header, *rows]


def experiment(settings: Settings) -> Finding:
    runs = {name: descend(settings.seed, name == "mean") for name in ("sum", "mean")}
    errors = {name: (kernels - TARGET).abs().amax(2) for name, (kernels, _) in runs.items()}
    image = photograph(settings.image)
    top, left = steepest_window(gradient_of(image), (TILE, TILE))
    learned, condition = learn_laplacian(image[top : top + TILE, left : left + TILE])
    worst = {name: (kernel - LAPLACIAN).abs().max().item() for name, kernel in learned.items()}
    stages = {name: at_stages(error) for name, error in errors.items()}
    kernels, biases = runs["sum"]
    shown = kernels[20, SHOWN_START].tolist()
    title = (
        f"From each of {STARTS} random starts, gradient descent learns the kernel (1, -1) to within "
        f"{stages['sum']['20']['most']:.2f} in 20 steps and to within {stages['sum']['40']['most']:.2f} in 40"
    )
    text = "\n".join(
        [
            f"{STARTS} random starts, learning rate {LEARNING_RATE}; error: the larger error of the two weights",
            *table(stages),
            "",
            f"seed {settings.seed + SHOWN_START} after 20 steps:      ({shown[0]:.4f}, {shown[1]:.4f}), "
            f"bias {biases[20, SHOWN_START]:.4f}",
            f"the run in the study notes: ({NOTES[0]:.4f}, {NOTES[1]:.4f}), bias 0.0008",
            "",
            f"the Laplacian, learned from {TILE} x {TILE} pixels of the photograph and their edges, from zeros:",
            f"  gradient descent, {GD_STEPS} steps: largest error of a weight {worst['gradient descent']:.2g}",
            f"  L-BFGS, {LBFGS_STEPS} steps:            largest error of a weight {worst['L-BFGS']:.1g}",
            f"  Neighboring pixels are similar, so the loss is ill-conditioned: condition number {condition:,.0f}.",
        ]
    )
    values = {
        "stages": stages,
        "one kernel": {"kernel": shown, "bias": biases[20, SHOWN_START].item()},
        "laplacian": {name: {"kernel": learned[name].tolist(), "worst error": worst[name]} for name in learned},
    }
    return Finding(title, text, values, draw(kernels, runs["mean"][0], errors, learned))


@styled
def draw(kernels: Tensor, of_mean: Tensor, errors: dict[str, Tensor], learned: dict[str, Tensor]) -> Figure:
    """Draw the path of one kernel, the errors by step, and the two learned Laplacians."""
    fig = figure(12.5, 4.2)
    grid = fig.add_gridspec(2, 3, width_ratios=(1.1, 1.25, 0.55))
    draw_path(fig.add_subplot(grid[:, 0]), kernels[:, SHOWN_START], of_mean[:, SHOWN_START])
    draw_errors(fig.add_subplot(grid[:, 1]), errors)
    for row, (name, steps) in enumerate((("gradient descent", GD_STEPS), ("L-BFGS", LBFGS_STEPS))):
        rounded = (learned[name] * 100).round() / 100 + 0.0
        draw_map(fig.add_subplot(grid[row, 2]), rounded, f"Laplacian learned by\n{name}, {steps} steps")
    return fig


def draw_path(axes: Axes, path: Tensor, of_mean: Tensor) -> None:
    """Draw the contours of the sum of squares over the two weights, at bias 0, and the path of one kernel."""
    ticks = torch.linspace(-1.7, 1.7, 69)
    grid = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), -1).reshape(-1, 1, 1, 2)
    x = textbook_image()
    loss = (ops.conv2d(x, grid) - ops.conv2d(x, TARGET.reshape(1, 1, 1, 2))).square().sum((0, 2, 3)).reshape(69, 69)
    levels = np.geomspace(0.3, 200, 14)
    axes.contourf(ticks, ticks, loss, levels=[0, *levels], cmap="Blues_r", norm="symlog", alpha=0.55)
    axes.contour(ticks, ticks, loss, levels=levels, colors="white", linewidths=0.7)
    axes.plot(*of_mean.T, color=PALETTE[1], linewidth=1.4, marker=".", markersize=4, label="mean of squares")
    axes.plot(*path.T, color="black", linewidth=1.2, marker=".", markersize=6, label="sum of squares")
    axes.plot(*path[0], color="white", marker="o", markersize=7, markeredgecolor="black", linestyle="", label="start")
    axes.plot(*TARGET, color=PALETTE[4], marker="*", markersize=15, mec="black", linestyle="", label="(1, -1)")
    axes.plot(
        *NOTES,
        color=PALETTE[2],
        marker="x",
        markersize=8,
        markeredgewidth=2,
        linestyle="",
        label="run in the notes",
    )
    axes.set(xlabel="first weight", ylabel="second weight", aspect="equal", xlim=(-0.75, 1.65), ylim=(-1.65, 0.75))
    axes.set_title(f"{STEPS} steps of one kernel, contours: sum of squares", fontsize=10)
    axes.legend(loc="upper right", fontsize=8)


def draw_errors(axes: Axes, errors: dict[str, Tensor]) -> None:
    """Draw the median and the range over the starts, by step."""
    steps = range(STEPS + 1)
    for (name, error), color in zip(errors.items(), ("black", PALETTE[1]), strict=True):
        axes.fill_between(steps, error.amin(1), error.amax(1), color=color, alpha=0.18, linewidth=0)
        axes.plot(steps, error.median(1).values, color=color, label=f"{name} of squares")
    for after, bound in ((20, 0.15), (40, 0.02)):
        axes.plot([0, after, after], [bound, bound, 1e-4], color="#777777", linewidth=1, linestyle="--")
        axes.text(0.4, bound * 1.07, f"{bound} after {after} steps", fontsize=8, color="#555555")
    axes.set(yscale="log", ylim=(2e-3, 3), xlim=(0, STEPS), xlabel="step", ylabel="larger error of the two weights")
    axes.set_title(f"{STARTS} random starts: median and range", fontsize=10)
    axes.legend(loc="lower left", fontsize=8)
