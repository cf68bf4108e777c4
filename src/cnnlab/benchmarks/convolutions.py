"""The convolutions of a training step one by one: forward and both gradients, by PyTorch and by our methods.

The sum of the fastest passes is a lower bound of the step's time.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.analysis.calls import shadow
from cnnlab.benchmarks.noise import NoiseData, check_data
from cnnlab.benchmarks.rates import DTYPES, PRODUCT, dtypes_of, matrix_products, product_rates, rate_rows
from cnnlab.benchmarks.results import Result, Row, facts_of
from cnnlab.benchmarks.stopwatch import Timing, alternate
from cnnlab.build.objects import build_classifier
from cnnlab.config.schema import BenchmarkConfig
from cnnlab.errors import UserError
from cnnlab.machine.setup import prepare
from cnnlab.ops.convolution import make_layout
from cnnlab.ops.layout import Layout
from cnnlab.ops.methods import METHODS
from cnnlab.ops.size import Pair
from cnnlab.ops.swap import ComputesKernels

OURS = ("im2col", "winograd", "shifted")
WAYS = ("torch", *OURS)
PASSES = ("forward", "input gradient", "weight gradient")


@dataclass(frozen=True)
class Shape:
    """The shape of a convolution in a training step.

    Attributes:
        sizes: height and width of its input.
        for_input, for_weight: whether the step computes the gradient of its input, or of its weight.
    """

    in_channels: int
    out_channels: int
    kernel_size: Pair
    layout: Layout
    sizes: Pair
    for_input: bool
    for_weight: bool = True

    def __str__(self) -> str:
        kernel, stride, groups = self.kernel_size, self.layout.stride, self.layout.groups
        text = f"{self.in_channels} to {self.out_channels}, {kernel[0]}x{kernel[1]}"
        text += f"/{stride[0]}" if stride != (1, 1) else ""
        text += f", {groups} groups" if groups > 1 else ""
        return f"{text}, {self.sizes[0]}x{self.sizes[1]}"

    @property
    def passes(self) -> tuple[str, ...]:
        """The names of the passes that the step computes."""
        needed = (True, self.for_input, self.for_weight)
        return tuple(name for name, needs in zip(PASSES, needed, strict=True) if needs)

    def operations(self, images: int) -> int:
        """Floating-point operations of one pass over `images` by the definition: two per multiply-accumulate."""
        height, width = self.layout.out_sizes(self.sizes, self.kernel_size)
        weights = self.out_channels * self.in_channels // self.layout.groups * self.kernel_size[0] * self.kernel_size[1]
        return 2 * images * height * width * weights


def shapes_of(net: nn.Module, in_channels: int, image_size: int) -> Counter[Shape]:
    """The distinct convolutions of one training step in order, with the number of layers that have each shape."""
    ghost = shadow(net).train()
    shapes: Counter[Shape] = Counter()

    def count(layer: Any, arguments: tuple[Tensor, ...]) -> None:
        (x,) = arguments
        layout = make_layout(layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups)
        sizes, gradients = (x.shape[2], x.shape[3]), (x.requires_grad, layer.weight.requires_grad)
        shapes[Shape(x.shape[1], layer.out_channels, layer.kernel_size, layout, sizes, *gradients)] += 1

    for module in ghost.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(count)
    ghost(torch.empty(2, in_channels, image_size, image_size, device="meta"))  # batch norm needs two images
    return shapes


def contenders_for(shape: Shape, images: int, dtype: torch.dtype, device: str) -> dict[str, Callable[[], object]]:
    """`<pass>, <way>` -> a call that computes this pass on channels_last noise, by PyTorch or one of our methods."""

    def noise(*size: int) -> Tensor:
        return torch.randn(*size, device=device).to(dtype).contiguous(memory_format=torch.channels_last)

    layout, kernel_size = shape.layout, shape.kernel_size
    x = noise(images, shape.in_channels, *shape.sizes)
    weight = noise(shape.out_channels, shape.in_channels // layout.groups, *kernel_size)
    gradient = noise(images, shape.out_channels, *layout.out_sizes(shape.sizes, kernel_size))
    calls: dict[str, Callable[[], object]] = {
        f"{name}, torch": _torch(name, x, weight, gradient, layout) for name in shape.passes
    }
    for method in OURS:
        if not METHODS[method].supports(kernel_size, layout):
            continue
        ours = {
            "forward": lambda m=METHODS[method]: m.forward(x, weight, layout),
            "input gradient": lambda m=METHODS[method]: m.input_gradient(gradient, weight, shape.sizes, layout),
            "weight gradient": lambda m=METHODS[method]: m.weight_gradient(x, gradient, kernel_size, layout),
        }
        calls |= {f"{name}, {method}": ours[name] for name in shape.passes}
    return calls


def _torch(name: str, x: Tensor, weight: Tensor, gradient: Tensor, layout: Layout) -> Callable[[], object]:
    """One pass by PyTorch, whose padding is the same on both sides."""
    padding = [before for before, _ in layout.padding]
    if name == "forward":
        return lambda: F.conv2d(x, weight, None, layout.stride, padding, layout.dilation, layout.groups)
    output_mask = [name == "input gradient", name == "weight gradient", False]
    return lambda: torch.ops.aten.convolution_backward(
        gradient, x, weight, None, layout.stride, padding, layout.dilation, False, [0, 0], layout.groups, output_mask
    )


def bench(cfg: BenchmarkConfig) -> Result:
    check_data(cfg)
    machine = prepare(cfg.trainer)
    data = NoiseData(cfg, cfg.data.batch_size)
    net = build_classifier(cfg, data).net
    shapes = shapes_of(net, data.spec.in_channels, data.spec.image_size)
    facts = facts_of(cfg, data, machine)
    if not shapes:
        raise UserError(f"bench=ops needs a network with convolutions, got model={facts['network']}")
    products = matrix_products(machine)
    result = Result(facts, {})
    rows: list[Row] = []
    for dtype in dtypes_of(machine):
        product = f"{PRODUCT}{dtype}"
        seconds: list[float] = []
        for shape, count in shapes.items():
            contenders = contenders_for(shape, cfg.data.batch_size, DTYPES[dtype], machine.device)
            timings = alternate({product: products[product]} | contenders, cfg.rounds)
            seconds += timings.pop(product).seconds
            rows += _rows(shape, count, dtype, cfg.data.batch_size, timings)
            result.timings |= {f"{shape}, {dtype}, {name}": timing for name, timing in timings.items()}
        result.timings[product] = Timing(seconds)
    rates = product_rates(result.timings)
    for row in rows:
        row["fraction"] = 100 * row["GFLOP/s"] * 1e9 / rates[row["type"]]
    result.tables = {
        "milliseconds per pass of a layer": rows,
        "what a step takes at least": bounds(rows, cfg.data.batch_size),
        "matrix products": rate_rows(result.timings),
    }
    result.notes = [
        "GFLOP/s and fraction: of the best way; fraction is the percent of the rate of matrix products in that type.",
        "A step takes at least the sum of its layers' passes, all by PyTorch or each by the best way for it.",
    ]
    if any(isinstance(module, ComputesKernels) for module in net.modules()):
        result.notes.append("Layers that compute their own kernels are not included.")
    return result


def _rows(shape: Shape, count: int, dtype: str, images: int, timings: Mapping[str, Timing]) -> list[Row]:
    """One row per pass."""
    rows = []
    for name in shape.passes:
        seconds = {way: timings[f"{name}, {way}"].median for way in WAYS if f"{name}, {way}" in timings}
        best = min(seconds, key=lambda way: seconds[way])
        rows.append(
            {
                "layer": str(shape),
                "layers": count,
                "type": dtype,
                "pass": name,
                **{way: 1000 * seconds[way] if way in seconds else None for way in WAYS},
                "best": best,
                "GFLOP/s": shape.operations(images) / seconds[best] / 1e9,
            }
        )
    return rows


def bounds(rows: Sequence[Row], images: int) -> list[Row]:
    """The time of all convolutions of one step in each type, and the images/s that it allows."""
    totals = []
    for dtype in dict.fromkeys(row["type"] for row in rows):
        passes = [row for row in rows if row["type"] == dtype]
        for way in ("torch", "best"):
            seconds = sum(row["layers"] * row[row["best"] if way == "best" else way] for row in passes) / 1000
            totals.append({"type": dtype, "convolutions by": way, "ms": 1000 * seconds, "images/s": images / seconds})
    return totals
