"""A kernel learned from an image and its edges alone, by gradient descent on the sum of squared errors.

A hundred random starts learn (1, -1) side by side, as a convolution of a hundred groups whose losses are added: none
sees another's gradient. The Laplacian is learned in the same way from the photograph and its edges, where neighboring
pixels are nearly equal, so that a plain step is short in most directions; L-BFGS, which estimates the curvature, is
there in a few.
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
from cnnlab.lab.laplacian import LAPLACIAN, apply_kernel, gradient_of, liveliest
from cnnlab.lab.photograph import photograph

TARGET = torch.tensor([1.0, -1.0])
NOTES = (1.0110, -1.0125)  # the study notes' one run; its bias 0.0008
STARTS, ROUNDS, RATE = 100, 40, 0.01
SHOWN_START = 0
TILE = 96  # pixels of the photograph, where it is liveliest
DESCENTS, CURVED = 200, 40  # steps of gradient descent, of L-BFGS


def random_starts(first_seed: int) -> tuple[Tensor, Tensor]:
    """PyTorch's own start of a 1x2 convolution from each of a hundred seeds: weights (100, 1, 1, 2), biases (100,)."""
    layers = []
    with torch.random.fork_rng(devices=[]):
        for seed in range(first_seed, first_seed + STARTS):
            torch.manual_seed(seed)
            layers.append(nn.Conv2d(1, 1, kernel_size=(1, 2)))
    weights, biases = ([getattr(layer, name).detach() for layer in layers] for name in ("weight", "bias"))
    return torch.cat(weights), torch.cat(biases)


def descend(first_seed: int, mean: bool) -> tuple[Tensor, Tensor]:
    """Kernels (ROUNDS + 1, STARTS, 2) and biases (ROUNDS + 1, STARTS) after each round, the start first."""
    x = textbook_image()
    y = ops.conv2d(x, TARGET.reshape(1, 1, 1, 2))
    weight, bias = (start.requires_grad_() for start in random_starts(first_seed))
    kernels, biases = [weight.detach().clone()], [bias.detach().clone()]
    for _ in range(ROUNDS):
        error = ops.conv2d(x.expand(-1, STARTS, -1, -1), weight, bias, groups=STARTS) - y
        loss = error.square().sum() / (y.numel() if mean else 1)
        for parameter, gradient in zip((weight, bias), torch.autograd.grad(loss, (weight, bias)), strict=True):
            parameter.data -= RATE * gradient
        kernels.append(weight.detach().clone())
        biases.append(bias.detach().clone())
    return torch.stack(kernels).flatten(2), torch.stack(biases)


def learn_laplacian(picture: Tensor) -> tuple[dict[str, Tensor], float]:
    """What gradient descent and L-BFGS make of a kernel of zeros, from `picture` and its edges, in float64.

    Also how many times the loss is as curved in its steepest direction as in its flattest.
    """
    picture = picture.double()
    windows = picture.unfold(0, 3, 1).unfold(1, 3, 1).flatten(2).flatten(0, 1)
    curvatures = torch.linalg.eigvalsh(2 * windows.T @ windows / len(windows))
    kernels = [torch.zeros(3, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    follow(picture, kernels[0], torch.optim.SGD([kernels[0]], lr=float(1 / curvatures[-1])), DESCENTS)
    search = torch.optim.LBFGS([kernels[1]], max_iter=1, line_search_fn="strong_wolfe")
    follow(picture, kernels[1], search, CURVED)
    learned = {name: kernel.detach() for name, kernel in zip(("gradient descent", "L-BFGS"), kernels, strict=True)}
    return learned, float(curvatures[-1] / curvatures[0])


def follow(picture: Tensor, kernel: Tensor, optimizer: torch.optim.Optimizer, steps: int) -> None:
    """Let `optimizer` bring `kernel` to the Laplacian by the mean square of what it misses of the edges."""
    edges = apply_kernel(picture, LAPLACIAN.double())

    def loss() -> float:
        value = (apply_kernel(picture, kernel) - edges).square().mean()
        (kernel.grad,) = torch.autograd.grad(value, kernel)
        return value.item()

    for _ in range(steps):
        optimizer.step(loss)


def at_stages(error: Tensor) -> dict[str, dict[str, float]]:
    """Median, range and shares of the starts' worst errors (ROUNDS + 1, STARTS), after 20 rounds and after 40."""
    return {
        str(rounds): {
            "median": error[rounds].median().item(),
            "least": error[rounds].min().item(),
            "most": error[rounds].max().item(),
            "within 0.15": (error[rounds] <= 0.15).float().mean().item(),
            "within 0.02": (error[rounds] <= 0.02).float().mean().item(),
        }
        for rounds in (20, 40)
    }


def table(stages: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """A line a loss and number of rounds, under a head."""
    head = f"{'loss':<18}{'rounds':>7}{'median':>9}{'least':>9}{'most':>9}{'within 0.15':>13}{'within 0.02':>13}"
    rows = [
        f"{f'{name} of squares':<18}{rounds:>7}{row['median']:>9.3f}{row['least']:>9.3f}{row['most']:>9.3f}"
        f"{row['within 0.15']:>13.0%}{row['within 0.02']:>13.0%}"
        for name, by_rounds in stages.items()
        for rounds, row in by_rounds.items()
    ]
    return [head, *rows]


def experiment(settings: Settings) -> Finding:
    runs = {name: descend(settings.seed, name == "mean") for name in ("sum", "mean")}
    errors = {name: (kernels - TARGET).abs().amax(2) for name, (kernels, _) in runs.items()}
    picture = photograph(settings.image)
    top, left = liveliest(gradient_of(picture), (TILE, TILE))
    learned, times = learn_laplacian(picture[top : top + TILE, left : left + TILE])
    far = {name: (kernel - LAPLACIAN).abs().max().item() for name, kernel in learned.items()}
    stages = {name: at_stages(error) for name, error in errors.items()}
    kernels, biases = runs["sum"]
    shown = kernels[20, SHOWN_START].tolist()
    after = stages["sum"]
    title = (
        f"From {STARTS} random starts the kernel (1, -1) is learned to within {after['20']['most']:.2f} in 20 rounds "
        f"(median {after['20']['median']:.2f}) and {after['40']['most']:.2f} in 40"
    )
    text = "\n".join(
        [
            f"worst error of the kernel's two numbers, rate {RATE}, {STARTS} starts, one seed each",
            *table(stages),
            "",
            f"seed {settings.seed + SHOWN_START}, 20 rounds: ({shown[0]:.4f}, {shown[1]:.4f}), "
            f"bias {biases[20, SHOWN_START]:.4f}",
            f"the notes' one run:  ({NOTES[0]:.4f}, {NOTES[1]:.4f}), bias 0.0008",
            "",
            f"the Laplacian, from zeros, of {TILE} x {TILE} pixels of the photograph and their edges, mean of squares:",
            f"  gradient descent  {DESCENTS} steps  worst error {far['gradient descent']:.2g}",
            f"  L-BFGS            {CURVED:>3} steps  worst error {far['L-BFGS']:.1g}",
            f"  neighboring pixels are alike: the loss is {times:,.0f} times as curved one way as another",
        ]
    )
    values = {
        "stages": stages,
        "one kernel": {"kernel": shown, "bias": biases[20, SHOWN_START].item()},
        "laplacian": {name: {"kernel": learned[name].tolist(), "worst error": far[name]} for name in learned},
    }
    return Finding(title, text, values, draw(kernels, runs["mean"][0], errors, learned))


@styled
def draw(kernels: Tensor, of_mean: Tensor, errors: dict[str, Tensor], learned: dict[str, Tensor]) -> Figure:
    """A kernel's path, the errors by round, and the two learned Laplacians."""
    drawn = figure(12.5, 4.2)
    grid = drawn.add_gridspec(2, 3, width_ratios=(1.1, 1.25, 0.55))
    draw_path(drawn.add_subplot(grid[:, 0]), kernels[:, SHOWN_START], of_mean[:, SHOWN_START])
    draw_errors(drawn.add_subplot(grid[:, 1]), errors)
    for row, (name, steps) in enumerate((("gradient descent", DESCENTS), ("L-BFGS", CURVED))):
        rounded = (learned[name] * 100).round() / 100 + 0.0
        draw_map(drawn.add_subplot(grid[row, 2]), rounded, f"Laplacian learned by\n{name}, {steps} steps")
    return drawn


def draw_path(axes: Axes, path: Tensor, of_mean: Tensor) -> None:
    """The sum of squares over the kernel's two numbers, bias 0, and the way of one kernel through it."""
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
        *NOTES, color=PALETTE[2], marker="x", markersize=8, markeredgewidth=2, linestyle="", label="the notes' run"
    )
    axes.set(xlabel="first number", ylabel="second number", aspect="equal", xlim=(-0.75, 1.65), ylim=(-1.65, 0.75))
    axes.set_title(f"{ROUNDS} rounds of one kernel over the sum of squares", fontsize=10)
    axes.legend(loc="upper right", fontsize=8)


def draw_errors(axes: Axes, errors: dict[str, Tensor]) -> None:
    """Median and range over the starts, by round."""
    rounds = range(ROUNDS + 1)
    for (name, error), color in zip(errors.items(), ("black", PALETTE[1]), strict=True):
        axes.fill_between(rounds, error.amin(1), error.amax(1), color=color, alpha=0.18, linewidth=0)
        axes.plot(rounds, error.median(1).values, color=color, label=f"{name} of squares")
    for after, bound in ((20, 0.15), (40, 0.02)):
        axes.plot([0, after, after], [bound, bound, 1e-4], color="#777777", linewidth=1, linestyle="--")
        axes.text(0.4, bound * 1.07, f"{bound} after {after} rounds", fontsize=8, color="#555555")
    axes.set(yscale="log", ylim=(2e-3, 3), xlim=(0, ROUNDS), xlabel="round", ylabel="worst error of the two numbers")
    axes.set_title(f"median and range of {STARTS} starts", fontsize=10)
    axes.legend(loc="lower left", fontsize=8)
