"""The machine's rate of matrix products, which bounds that of a training step, and the operations that a step needs.

A multiply-accumulate counts as two floating-point operations.
"""

from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnnlab.analysis.calls import shadow
from cnnlab.benchmarks.results import Row
from cnnlab.benchmarks.stopwatch import Timing
from cnnlab.machine.setup import Machine
from cnnlab.ops.bf16 import has_bf16_units

SIDE = 2048  # of the square matrices; large enough that arithmetic alone limits their product
PRODUCT = "matrix product, "  # prefix of a type's name among the timings
DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}


def dtypes_of(machine: Machine) -> list[str]:
    """The names of the types for which the machine has matrix units."""
    return ["float32", *(["bf16"] if has_bf16_units(machine.device) else [])]


def matrix_products(machine: Machine) -> dict[str, Callable[[], object]]:
    """Contenders for the stopwatch: one matrix product in each of `dtypes_of`."""
    return {f"{PRODUCT}{name}": _product(DTYPES[name], machine.device) for name in dtypes_of(machine)}


def _product(dtype: torch.dtype, device: str) -> Callable[[], object]:
    a, b = torch.randn(2, SIDE, SIDE, device=device).to(dtype)
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def product_rates(timings: Mapping[str, Timing]) -> dict[str, float]:
    """Operations per second of the matrix products among `timings`, by the name of their type."""
    return {
        name.removeprefix(PRODUCT): 2 * SIDE**3 / timing.median
        for name, timing in timings.items()
        if name.startswith(PRODUCT)
    }


def rate_rows(timings: Mapping[str, Timing]) -> list[Row]:
    """`product_rates` and their spread as rows of a table."""
    gflop = 2 * SIDE**3 / 1e9
    return [{"type": name} | timings[f"{PRODUCT}{name}"].rates("GFLOP/s", gflop) for name in product_rates(timings)]


def step_operations(net: nn.Module, images: int, in_channels: int, image_size: int) -> int:
    """Operations of the convolutions and matrix products of one training step, forward and backward.

    Counted on the meta device, without computing values. Other operations do not count, nor do gradients that no
    parameter needs, such as that of the images.
    """
    ghost = shadow(net).train()
    with FlopCounterMode(display=False) as counter:
        out = ghost(torch.empty(images, in_channels, image_size, image_size, device="meta"))
        sum(logits.sum() for logits in (out if isinstance(out, tuple) else (out,))).backward()
    return int(counter.get_total_flops())
