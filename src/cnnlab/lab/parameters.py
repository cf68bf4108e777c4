"""Why a weight is an `nn.Parameter`, and what `.data` or `torch.no_grad()` is for in an update.

A learned kernel is moved by `weight -= lr * gradient`. As this changes a leaf of the graph in place, PyTorch refuses it
unless recording is turned off. A plain tensor in a module learns nothing, because `parameters()` does not list it.

Sources: Zhang et al., "Dive into Deep Learning", 2023, section 7.2.4, "Learning a Kernel"; PyTorch's notes, "Autograd
mechanics".
"""

from collections.abc import Callable

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from cnnlab import ops
from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.edges import textbook_image
from cnnlab.lab.finding import Finding, Settings

ROUNDS, LR = 20, 0.01
Update = Callable[[Tensor], None]


class Learned(nn.Module):
    """A convolution with a kernel of one's own: an `nn.Parameter`, or a plain tensor."""

    def __init__(self, start: Tensor, parameter: bool) -> None:
        super().__init__()
        self.kernel = nn.Parameter(start.clone()) if parameter else start.clone().requires_grad_()

    def forward(self, x: Tensor) -> Tensor:
        return ops.conv2d(x, self.kernel)


def in_place(weight: Tensor) -> None:
    weight -= LR * gradient_of(weight)


def by_data(weight: Tensor) -> None:
    weight.data -= LR * gradient_of(weight)


def without_grad(weight: Tensor) -> None:
    with torch.no_grad():
        weight -= LR * gradient_of(weight)


def gradient_of(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


UPDATES: dict[str, tuple[Update, str]] = {
    "in place": (in_place, "weight -= lr * weight.grad"),
    ".data": (by_data, "weight.data -= lr * weight.grad"),
    "no_grad": (without_grad, "with torch.no_grad(): weight -= lr * weight.grad"),
}


def learn(start: Tensor, update: Update) -> tuple[list[float], str]:
    """The loss before each round, and the error that ended training, or an empty text."""
    net = Learned(start, parameter=True)
    x = textbook_image()
    target = ops.conv2d(x, torch.tensor([[[[1.0, -1.0]]]]))
    losses = []
    for _ in range(ROUNDS):
        loss = (net(x) - target).square().sum()
        losses.append(loss.item())
        net.zero_grad()
        loss.backward()
        try:
            update(net.kernel)
        except RuntimeError as error:
            return losses, str(error)
    return losses, ""


def experiment(settings: Settings) -> Finding:
    start = torch.randn(1, 1, 1, 2, generator=torch.Generator().manual_seed(settings.seed)) / 2
    runs = {name: learn(start, update) for name, (update, _) in UPDATES.items()}
    kinds = {"nn.Parameter": True, "tensor": False}
    listed = {kind: len(list(Learned(start, parameter).parameters())) for kind, parameter in kinds.items()}
    failed = [name for name, (_, error) in runs.items() if error]
    equal = runs[".data"] == runs["no_grad"]
    title = (
        f"An update of a weight {'fails' if 'in place' in failed else 'does NOT fail'} without .data or no_grad, and "
        f"both forms {'learn the same' if equal else 'do NOT learn the same'}"
    )
    lines = [f"sum of squared errors, {ROUNDS} rounds of gradient descent with learning rate {LR}:", ""]
    for name, (_, code) in UPDATES.items():
        losses, error = runs[name]
        result = (
            f"error: {error}" if error else f"{losses[0]:.4f} before the first round, {losses[-1]:.4f} before the last"
        )
        lines += [code, f"  {result}"]
    lines += [
        "",
        "number of tensors that module.parameters() lists, which are all that an optimizer and a checkpoint see:",
        *(f"  kernel as {name + ':':<14} {count}" for name, count in listed.items()),
        "",
        "Autograd would have to record an in-place change of a weight, and the weight would no longer be a leaf. .data",
        "bypasses autograd without a check; torch.no_grad() turns recording off and is what optimizers use.",
    ]
    values = {
        "losses": {name: losses for name, (losses, _) in runs.items()},
        "errors": {name: error for name, (_, error) in runs.items()},
        "listed": listed,
    }
    return Finding(title, "\n".join(lines), values, draw({name: losses for name, (losses, _) in runs.items()}))


@styled
def draw(losses: dict[str, list[float]]) -> Figure:
    """Draw the loss by round of each form of the update."""
    fig = figure(7, 4)
    axes = fig.subplots()
    for i, (name, values) in enumerate(losses.items()):
        label = UPDATES[name][1] + ("" if len(values) == ROUNDS else " (error in the first round)")
        axes.plot(
            range(1, len(values) + 1), values, color=PALETTE[i], marker="osx"[i], markersize=9 - 2 * i, label=label
        )
    axes.set(xlabel="round", ylabel="sum of squared errors", yscale="log")
    axes.set_xticks(range(0, ROUNDS + 1, 5))
    axes.legend(fontsize=9)
    return fig
