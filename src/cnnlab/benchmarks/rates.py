"""What the machine can do at most, and what a step asks of it: floating-point operations a second, and their number.

A multiply-accumulate is two operations.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnnlab.analysis.calls import shadow
from cnnlab.benchmarks.stopwatch import Timing
from cnnlab.machine.setup import Machine
from cnnlab.ops.bf16 import has_bf16_units

SIDE = 2048  # of the square matrices; large enough that their product is bound by arithmetic alone
PRODUCT = "matrix product, "  # before the name of the type
DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}


def dtypes_of(machine: Machine) -> list[str]:
    """The names of the types in which the machine multiplies matrices with units for them."""
    return ["float32", *(["bf16"] if has_bf16_units(machine.device) else [])]


def matrix_products(machine: Machine) -> dict[str, Callable[[], None]]:
    """Contenders for the stopwatch: one product of matrices in each of `dtypes_of`."""
    return {f"{PRODUCT}{name}": _product(DTYPES[name], machine.device) for name in dtypes_of(machine)}


def _product(dtype: torch.dtype, device: str) -> Callable[[], None]:
    a, b = torch.randn(2, SIDE, SIDE, device=device).to(dtype)
    out = torch.empty_like(a)

    def multiply() -> None:
        torch.mm(a, b, out=out)
        if out.is_cuda:
            torch.cuda.synchronize()

    return multiply


def product_rates(timings: Mapping[str, Timing]) -> dict[str, float]:
    """Operations a second of the matrix products among `timings`, by the name of their type."""
    return {
        name.removeprefix(PRODUCT): 2 * SIDE**3 / timing.median
        for name, timing in timings.items()
        if name.startswith(PRODUCT)
    }


def rate_rows(timings: Mapping[str, Timing]) -> list[dict[str, Any]]:
    """The same as a table, with the spread."""
    rows = []
    for name in product_rates(timings):
        timing = timings[f"{PRODUCT}{name}"]
        fastest, slowest = timing.spread
        seconds = {"GFLOP/s": timing.median, "slowest": slowest, "fastest": fastest}
        rows.append({"type": name} | {column: 2 * SIDE**3 / value / 1e9 for column, value in seconds.items()})
    return rows


def step_operations(net: nn.Module, images: int, in_channels: int, image_size: int) -> int:
    """Operations of the convolutions and matrix products of one training step, forward and backward.

    From a pass without values; what is not a product is not counted, nor a gradient that nobody asks for, as that of
    the images.
    """
    ghost = shadow(net).train()
    with FlopCounterMode(display=False) as counter:
        out = ghost(torch.empty(images, in_channels, image_size, image_size, device="meta"))
        sum(logits.sum() for logits in (out if isinstance(out, tuple) else (out,))).backward()
    return int(counter.get_total_flops())
