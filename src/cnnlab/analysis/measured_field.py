"""Receptive fields measured: which pixels the gradient of one unit reaches, to hold the arithmetic of `trace` against.

The measured copy has positive weights in float64, activations as identities and averages in place of maxima, so that no
gradient that exists is canceled, rectified or rounded to zero.
"""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.analysis.calls import Calls, name_of
from cnnlab.analysis.field import Axis, Field
from cnnlab.analysis.trace import Trace
from cnnlab.errors import UserError

# What changes values at their own place only; an identity reaches the same pixels.
IDENTITIES = {
    "relu", "hardtanh", "leaky_relu", "elu", "gelu", "silu", "hardswish", "hardsigmoid", "sigmoid", "tanh",
    "softplus", "dropout", "batch_norm", "local_response_norm",
}  # fmt: skip

ADAPTIVE = {"adaptive_avg_pool2d", "adaptive_max_pool2d"}


class Reached(Exception):
    """The pass has come to the row that is measured."""

    def __init__(self, out: Tensor) -> None:
        self.out = out


class Reach(Calls):
    """Runs the functions before and at row `row` in their measured form, then raises Reached."""

    def __init__(self, x: Tensor, row: int) -> None:
        super().__init__(x)
        self.left = row

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = name_of(function)
        if name in IDENTITIES:
            return args[0]
        if name == "max_pool2d":
            return _average_for_max(*args, **kwargs)
        if name in ADAPTIVE and args[1] not in (1, (1, 1)):
            return args[0]  # an identity at the native size, as `measured_field` makes sure
        return function(*args, **kwargs)

    def seen(self, name: str, inputs: list[Tensor], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.left == 0:
            raise Reached(out if isinstance(out, Tensor) else out[0])
        self.left -= 1


def _average_for_max(
    x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor:  # fmt: skip
    assert dilation in (1, (1, 1)), "averages have no dilation"
    assert not return_indices, "averages have no indices"
    return F.avg_pool2d(x, kernel_size, stride, padding, ceil_mode)


def measured_field(net: nn.Module, taken: Trace) -> Field | None:
    """The receptive field at the last map of `taken`, which is the trace of `net`; None for the whole image.

    Each axis is measured on an image as long as the field needs and as narrow as the network takes, so that large
    fields stay cheap. Distance and position come from two neighboring units.

    Raises:
        UserError: there is no map, or an adaptive pooling before it changes the size.
    """
    if taken.last_map is None:
        raise UserError("a receptive field is measured on a map, and this network has none")
    for row in taken.rows[: taken.last_map + 1]:
        if " to " in row.kind and row.operations:
            raise UserError(f"a receptive field is not measured behind {row.name}: {row.kind} changes with the image")
    positive = _positive(net)
    expected = taken.field
    if expected is None:
        image = torch.ones(1, *taken.shape, dtype=torch.float64, requires_grad=True)
        out = _reach(positive, image, taken.last_map)
        rows, columns = _reached(out[..., out.shape[2] // 2, out.shape[3] // 2], image)
        if (rows[0], rows[1], columns[0], columns[1]) != (0, taken.shape[1] - 1, 0, taken.shape[2] - 1):
            raise UserError(f"expected the whole image, and pixels {rows} x {columns} are reached")
        return None
    vertical, horizontal = expected.axes
    return Field(
        _measured_axis(positive, taken, vertical, horizontal, dim=2),
        _measured_axis(positive, taken, horizontal, vertical, dim=3),
    )


def _measured_axis(net: nn.Module, taken: Trace, along: Axis, across: Axis, dim: int) -> Axis:
    """The axis `dim` of an image that is narrow in the other; `along` only says how long the image has to be."""
    assert taken.last_map is not None
    unit = max(0, math.ceil(-along.first / along.jump))
    length = along.jump * math.ceil((along.last + (unit + 2) * along.jump) / along.jump)
    width = across.jump
    while True:
        side = (length, width) if dim == 2 else (width, length)
        image = torch.ones(1, taken.shape[0], *side, dtype=torch.float64, requires_grad=True)
        try:
            out = _reach(net, image, taken.last_map)
            break
        except RuntimeError:  # too narrow for a kernel
            width += across.jump
            if width > 64 * across.jump:
                raise
    (first, last), (second, _) = (_reached(out.select(dim, u), image)[dim - 2] for u in (unit, unit + 1))
    jump = second - first
    return Axis(first - unit * jump, last - unit * jump, jump)


def _reached(units: Tensor, image: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first and the last row, and the first and the last column of `image`, that `units` depend on."""
    (gradient,) = torch.autograd.grad(units.sum(), image, retain_graph=True)
    reached = (gradient != 0)[0].any(0)
    rows, columns = (reached.any(axis).nonzero().flatten() for axis in (1, 0))
    return (int(rows[0]), int(rows[-1])), (int(columns[0]), int(columns[-1]))


def _reach(net: nn.Module, image: Tensor, row: int) -> Tensor:
    """The map of `row`."""
    reach = Reach(image, row)
    try:
        with reach.watching(net):
            net(image)
    except Reached as reached:
        return reached.out
    raise AssertionError(f"the pass has no row {row}")


def _positive(net: nn.Module) -> nn.Module:
    """A copy of `net` in float64 whose filters take means; masks and the like keep their values, or are ones on meta.

    Each weight is one number seen as many, so that a fully connected layer takes no memory.
    """
    memo: dict[int, Any] = {}
    for name, parameter in net.named_parameters():
        value = 0.0 if name.endswith("bias") else 1 / parameter[0].numel() if parameter.ndim > 1 else 1.0
        constant = torch.full((), value, dtype=torch.float64).expand(parameter.shape)
        memo[id(parameter)] = nn.Parameter(constant, requires_grad=False)
    for buffer in net.buffers():
        kind = torch.float64 if buffer.is_floating_point() else buffer.dtype
        unknown = torch.full(buffer.shape, int(buffer.is_floating_point()), dtype=kind)
        memo[id(buffer)] = unknown if buffer.is_meta else buffer.detach().to(kind)
    return copy.deepcopy(net, memo).eval()
