"""Speed: the time of a convolution by its definition, by each faster method, and by PyTorch.

The methods run alternately in one process, and the reported times are medians. GFLOP/s count two operations per
multiply-accumulate of the definition, for the forward pass and both gradients, whatever a method really computes.
Memory is the peak of the tensors that are created. The loop runs only where it takes less than a second.

Sources of the methods: Chellapilla, Puri and Simard, 2006 (im2col); Mathieu, Henaff and LeCun, 2013 (fft); Lavin and
Gray, 2015, section 4.1 (winograd). Their modules in `ops.methods` give the full titles. The definition (loop) is
equation 9.7 of Goodfellow, Bengio and Courville, "Deep Learning", 2016.
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
LOOPS_UP_TO = 30_000  # output numbers; the loop takes about a second for them
LENET5_BATCH = 64


@dataclass(frozen=True)
class Size:
    """A 3x3 convolution with padding 1 and as many output as input channels, on `images` maps of `side` x `side`."""

    channels: int
    side: int
    images: int
    dtype: torch.dtype = torch.float32

    @property
    def outputs(self) -> int:
        return self.images * self.channels * self.side**2

    @property
    def macs(self) -> int:
        return self.outputs * self.channels * 9

    def __str__(self) -> str:
        precision = "" if self.dtype == torch.float32 else ", bf16"
        return f"{self.channels} channels, {self.side}x{self.side}, batch {self.images}{precision}"


GROWING = (Size(4, 6, 1), Size(8, 8, 4), Size(16, 16, 8), Size(64, 32, 64))
SHAPES = (Size(64, 32, 64), Size(256, 8, 128), Size(512, 4, 128), Size(512, 4, 128, torch.bfloat16))


def step(function: Callable[..., Tensor], *inputs: Tensor) -> Callable[[], None]:
    """Return a function that runs the forward and the backward pass, with an output gradient of ones."""

    def run() -> None:
        for tensor in inputs:
            tensor.grad = None
        y = function(*inputs)
        y.backward(torch.ones_like(y))

    return run


def convolution_steps(size: Size) -> dict[str, Callable[[], None]]:
    """Build the same convolution with PyTorch and with each method."""
    shape = (size.images, size.channels, size.side, size.side)
    x = torch.randn(shape, dtype=size.dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(size.channels, size.channels, 3, 3, dtype=size.dtype)
    weight = weight.contiguous(memory_format=torch.channels_last).requires_grad_()
    steps = {"torch": step(lambda x, weight: F.conv2d(x, weight, padding=1), x, weight)}
    for method in METHODS:
        if method != "loop" or size.outputs <= LOOPS_UP_TO:
            steps[method] = step(lambda x, weight, m=method: ops.conv2d(x, weight, padding=1, method=m), x, weight)
    return steps


def lenet5_step(method: str, images: int) -> Callable[[], None]:
    """Build the forward and backward pass of LeNet-5 on random images."""
    net = models.lenet5()
    swap_convolutions(net, method)
    x, labels = torch.randn(images, 1, 28, 28), torch.arange(images) % 10

    def run() -> None:
        net.zero_grad()
        F.cross_entropy(net(x), labels).backward()

    return run


def other_steps() -> dict[str, dict[str, Callable[[], None]]]:
    """Build operators that have a single method, ours and PyTorch's, on 64 channels of 32x32, batch 64."""
    x = torch.randn(64, 64, 32, 32, requires_grad=True)
    norm = nn.BatchNorm2d(64)
    pairs: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
        "max pooling 2x2": (lambda x: ops.max_pool2d(x, 2), lambda x: F.max_pool2d(x, 2)),
        "average pooling 2x2": (lambda x: ops.avg_pool2d(x, 2), lambda x: F.avg_pool2d(x, 2)),
        "batch norm": (lambda x: ops.batch_norm(x, None, None, norm.weight, norm.bias, training=True), norm),
        "ReLU": (ops.relu, torch.relu),
    }
    return {name: {"ours": step(ours, x), "torch": step(torchs, x)} for name, (ours, torchs) in pairs.items()}


def measure(what: str, steps: dict[str, Callable[[], None]], macs: int | None) -> list[dict[str, Any]]:
    """Measure one row per method: median and range in ms, GFLOP/s, time relative to PyTorch, and peak memory."""
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
                "gflops": None if macs is None else 6e-9 * macs / timing.median,  # 2 operations in each of 3 passes
                "times_torch": timing.median / timings["torch"].median,
                "mebibytes": None if name == "loop" else peak_bytes(steps[name]) / 2**20,  # does not see NumPy's
            }
        )
    return rows


def readable(rows: list[dict[str, Any]]) -> str:
    """Format the rows as a table; the name of the operation appears in its first row only."""
    shown = [
        {
            "forward and backward": row["what"] if i == 0 or rows[i - 1]["what"] != row["what"] else "",
            "method": row["method"],
            "ms": f"{row['milliseconds']:,.2f}",
            "min": f"{row['fastest']:,.2f}",
            "max": f"{row['slowest']:,.2f}",
            "GFLOP/s": "" if row["gflops"] is None else f"{row['gflops']:,.2f}",
            "time / torch": f"{row['times_torch']:,.2f}",
            "MiB": "" if row["mebibytes"] is None else f"{row['mebibytes']:,.1f}",
        }
        for i, row in enumerate(rows)
    ]
    return render(shown, "table", numbers=("ms", "min", "max", "GFLOP/s", "time / torch", "MiB"))


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
    rows = [row for by_method in measured.values() for row in by_method] + one + batch + others
    times = {
        method: [
            (size.macs, row["milliseconds"] / 1e3)
            for size in GROWING
            for row in measured[size]
            if row["method"] == method
        ]
        for method in ("torch", *METHODS)
    }
    relative = {
        str(size): {row["method"]: 1 / row["times_torch"] for row in measured[size] if row["method"] != "torch"}
        for size in SHAPES
    }
    images_per_second = {row["method"]: 1e3 * LENET5_BATCH / row["milliseconds"] for row in batch}
    images_per_second["loop"] = 1e3 / next(row["milliseconds"] for row in one if row["method"] == "loop")
    slower = next(row["times_torch"] for row in one if row["method"] == "loop")
    slower_than_batch = images_per_second["torch"] / images_per_second["loop"]
    threads = "1 thread" if settings.threads == 1 else f"{settings.threads} threads"
    title = (
        f"At batch size 1, the definition (loop) trains LeNet-5 {slower:,.0f} times slower than PyTorch; compared with "
        f"PyTorch at batch size {LENET5_BATCH}, it is {slower_than_batch:,.0f} times slower per image"
    )
    lines = [
        readable(rows),
        "",
        f"{threads}; ms: median of {ROUNDS} alternating rounds; the loop runs on the small sizes only",
    ]
    values = {"threads": settings.threads, "rows": rows}
    return Finding(title, "\n".join(lines), values, draw_speeds(times, relative, images_per_second))
