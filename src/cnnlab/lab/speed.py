"""Speed: what the definition costs, what each method saves, and how far PyTorch's library is from them.

Contenders run by turns in one process; the figures are medians. GFLOP/s count two operations for a multiply-accumulate
of the definition, whatever a method really computes, forward and both gradients; memory is that of the tensors made on
the way. The loops run only where they take less than a second.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab import models, ops
from cnnlab.benchmarks.memory import peak_bytes
from cnnlab.benchmarks.stopwatch import alternate
from cnnlab.figures.speeds import draw_speeds
from cnnlab.lab.finding import Finding, Settings
from cnnlab.ops.methods import METHODS
from cnnlab.ops.swap import swap_convolutions
from cnnlab.rendering.tables import render

ROUNDS = 5
LOOPS_UP_TO = 30_000  # numbers of the result: a second
LENET5_BATCH = 64


@dataclass(frozen=True)
class Size:
    """A 3x3 convolution with padding 1, as many channels out as in, on `images` maps of `side` x `side`."""

    channels: int
    side: int
    images: int
    dtype: torch.dtype = torch.float32

    @property
    def numbers(self) -> int:
        return self.images * self.channels * self.side**2

    @property
    def macs(self) -> int:
        return self.numbers * self.channels * 9

    def __str__(self) -> str:
        precision = "" if self.dtype == torch.float32 else ", bf16"
        return f"{self.channels} channels, {self.side}x{self.side}, batch {self.images}{precision}"


GROWING = (Size(4, 6, 1), Size(8, 8, 4), Size(16, 16, 8), Size(64, 32, 64))
SHAPES = (Size(64, 32, 64), Size(256, 8, 128), Size(512, 4, 128), Size(512, 4, 128, torch.bfloat16))


def step(function: Callable[..., Tensor], *inputs: Tensor) -> Callable[[], None]:
    """Forward and backward with a gradient of ones."""

    def run() -> None:
        for tensor in inputs:
            tensor.grad = None
        y = function(*inputs)
        y.backward(torch.ones_like(y))

    return run


def convolution_steps(size: Size) -> dict[str, Callable[[], None]]:
    """The same convolution by torch and by each method."""
    shape = (size.images, size.channels, size.side, size.side)
    x = torch.randn(shape, dtype=size.dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(size.channels, size.channels, 3, 3, dtype=size.dtype)
    weight = weight.contiguous(memory_format=torch.channels_last).requires_grad_()
    steps = {"torch": step(lambda x, weight: F.conv2d(x, weight, padding=1), x, weight)}
    for method in METHODS:
        if method != "loop" or size.numbers <= LOOPS_UP_TO:
            steps[method] = step(lambda x, weight, m=method: ops.conv2d(x, weight, padding=1, method=m), x, weight)
    return steps


def lenet5_step(method: str, images: int) -> Callable[[], None]:
    """A training step's forward and backward pass of LeNet-5 on noise."""
    net = models.lenet5()
    swap_convolutions(net, method)
    x, labels = torch.randn(images, 1, 28, 28), torch.arange(images) % 10

    def run() -> None:
        net.zero_grad()
        F.cross_entropy(net(x), labels).backward()

    return run


def other_steps() -> dict[str, dict[str, Callable[[], None]]]:
    """Operators that have one method each, ours and torch's, on 64 channels of 32x32, batch 64."""
    x = torch.randn(64, 64, 32, 32, requires_grad=True)
    norm, ours = nn.BatchNorm2d(64), ops.batch_norm
    pairs: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
        "max pooling 2x2": (lambda x: ops.max_pool2d(x, 2), lambda x: F.max_pool2d(x, 2)),
        "average pooling 2x2": (lambda x: ops.avg_pool2d(x, 2), lambda x: F.avg_pool2d(x, 2)),
        "batch norm": (lambda x: ours(x, None, None, norm.weight, norm.bias, training=True), norm),
        "ReLU": (ops.relu, torch.relu),
    }
    return {name: {"ours": step(own, x), "torch": step(theirs, x)} for name, (own, theirs) in pairs.items()}


def measure(what: str, steps: dict[str, Callable[[], None]], macs: int | None) -> list[dict[str, Any]]:
    """A row a contender: median and range of milliseconds, GFLOP/s, times as long as torch, memory."""
    timings = alternate(steps, rounds=ROUNDS, warmup=1)
    rows = []
    for name, timing in timings.items():
        fastest, slowest = timing.spread
        rows.append(
            {
                "what": what,
                "method": name,
                "milliseconds": 1e3 * timing.median,
                "fastest": 1e3 * fastest,
                "slowest": 1e3 * slowest,
                "gflops": None if macs is None else 6e-9 * macs / timing.median,  # 2 for each of the three passes
                "times_torch": timing.median / timings["torch"].median,
                "mebibytes": None if name == "loop" else peak_bytes(steps[name]) / 2**20,  # NumPy's are not seen
            }
        )
    return rows


def readable(rows: list[dict[str, Any]]) -> str:
    """The rows as a table; what is measured stands once."""
    shown = []
    for i, row in enumerate(rows):
        shown.append(
            {
                "forward and backward": row["what"] if i == 0 or rows[i - 1]["what"] != row["what"] else "",
                "by": row["method"],
                "ms": f"{row['milliseconds']:,.2f}",
                "from": f"{row['fastest']:,.2f}",
                "to": f"{row['slowest']:,.2f}",
                "GFLOP/s": "" if row["gflops"] is None else f"{row['gflops']:,.2f}",
                "torch x": f"{row['times_torch']:,.2f}",
                "MiB": "" if row["mebibytes"] is None else f"{row['mebibytes']:,.1f}",
            }
        )
    return render(shown, "table", numbers=("ms", "from", "to", "GFLOP/s", "torch x", "MiB"))


def experiment(settings: Settings) -> Finding:
    torch.manual_seed(settings.seed)
    sizes = dict.fromkeys((*GROWING, *SHAPES))
    measured = {size: measure(str(size), convolution_steps(size), size.macs) for size in sizes}
    one = measure("LeNet-5, batch 1", {m: lenet5_step(m, 1) for m in ("torch", *METHODS)}, None)
    batch = measure(
        f"LeNet-5, batch {LENET5_BATCH}",
        {m: lenet5_step(m, LENET5_BATCH) for m in ("torch", *METHODS) if m != "loop"},
        None,
    )
    others = [row for name, steps in other_steps().items() for row in measure(name, steps, None)]
    rows = [row for several in measured.values() for row in several] + one + batch + others
    times: dict[str, list[tuple[float, float]]] = {}
    for size in GROWING:
        for row in measured[size]:
            times.setdefault(row["method"], []).append((size.macs, row["milliseconds"] / 1e3))
    relative = {
        str(size): {row["method"]: 1 / row["times_torch"] for row in measured[size] if row["method"] != "torch"}
        for size in SHAPES
    }
    rates = {row["method"]: 1e3 * LENET5_BATCH / row["milliseconds"] for row in batch}
    rates["loop"] = 1e3 / next(row["milliseconds"] for row in one if row["method"] == "loop")
    slower = next(row["times_torch"] for row in one if row["method"] == "loop")
    threads = "1 thread" if settings.threads == 1 else f"{settings.threads} threads"
    title = (
        f"Image by image the definition trains LeNet-5 {slower:,.0f} times slower than PyTorch, and beside PyTorch's "
        f"batches of {LENET5_BATCH} it is {rates['torch'] / rates['loop']:,.0f} times slower"
    )
    lines = [readable(rows), "", f"{threads}; medians of {ROUNDS} rounds by turns; a batch of loops takes too long"]
    picture = draw_speeds(times, relative, rates)
    return Finding(title, "\n".join(lines), {"threads": settings.threads, "rows": rows}, picture)
