"""Receptive fields measured from gradients: the pixels that the gradient of one unit reaches, to check `trace`.

The measurement uses a copy of the network with positive float64 weights, identities for activations, and average for
max pooling, so that no gradient cancels, is cut off by an activation, or is rounded to zero.
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

# Each value of the result depends on the same position only, as with an identity.
IDENTITIES = {
    "relu", "hardtanh", "leaky_relu", "elu", "gelu", "silu", "hardswish", "hardsigmoid", "sigmoid", "tanh",
    "softplus", "dropout", "batch_norm", "local_response_norm",
}  # fmt: skip

ADAPTIVE = {"adaptive_avg_pool2d", "adaptive_max_pool2d"}


class Reached(Exception):
    """Ends the forward pass at the measured row, with its result."""

    def __init__(self, out: Tensor) -> None:
        self.out = out


class Reach(Calls):
    """Runs a forward pass in its measurable form up to the row with index `row`, then raises Reached."""

    def __init__(self, x: Tensor, row: int) -> None:
        super().__init__(x)
        self.remaining = row

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = name_of(function)
        if name == "max_pool2d":
            return _average_for_max(*args, **kwargs)
        # `measured_field` accepts adaptive pooling only where it is an identity at the network's own image size.
        if name in IDENTITIES or (name in ADAPTIVE and args[1] not in (1, (1, 1))):
            return args[0]
        return function(*args, **kwargs)

    def seen(self, name: str, inputs: list[Tensor], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.remaining == 0:
            raise Reached(out if isinstance(out, Tensor) else out[0])
        self.remaining -= 1


def _average_for_max(
    x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor:  # fmt: skip
    assert dilation in (1, (1, 1)), "average pooling has no dilation"
    assert not return_indices, "average pooling has no indices"
    return F.avg_pool2d(x, kernel_size, stride, padding, ceil_mode)


def measured_field(net: nn.Module, traced: Trace) -> Field | None:
    """The receptive field at the last map of `net`; None for the whole image.

    Each axis is measured on an image just long enough for the field and as narrow as the network accepts, so that
    large fields are cheap too. Two neighboring units give the position and the jump.

    Args:
        traced: the trace of `net`, which gives the expected size.

    Raises:
        ValueError: there is no map, an adaptive pooling before it changes the size, or `traced` expects the whole image
            and the gradients reach less.
    """
    if traced.last_map is None:
        raise ValueError("traced must have a feature map to measure a receptive field, got none")
    for row in traced.rows[: traced.last_map + 1]:
        if " to " in row.kind and row.operations:
            raise ValueError(f"traced must have no adaptive pooling before its last map, got {row.name}: {row.kind}")
    positive = _positive(net)
    expected = traced.field
    if expected is None:
        image = torch.ones(1, *traced.shape, dtype=torch.float64, requires_grad=True)
        out = _reach(positive, image, traced.last_map)
        rows, columns = _reached(out[..., out.shape[2] // 2, out.shape[3] // 2], image)
        if (rows, columns) != ((0, traced.shape[1] - 1), (0, traced.shape[2] - 1)):
            raise ValueError(f"traced expects the whole image, but gradients reach only rows {rows}, columns {columns}")
        return None
    vertical, horizontal = expected.axes
    return Field(
        _measured_axis(positive, traced, vertical, horizontal, dim=2),
        _measured_axis(positive, traced, horizontal, vertical, dim=3),
    )


def _measured_axis(net: nn.Module, traced: Trace, along: Axis, across: Axis, dim: int) -> Axis:
    """The axis `dim` of an image that is narrow along the other; the expected `along` only determines its length."""
    assert traced.last_map is not None
    unit = max(0, math.ceil(-along.first / along.jump))
    length = along.jump * math.ceil((along.last + (unit + 2) * along.jump) / along.jump)
    width = across.jump
    while True:
        side = (length, width) if dim == 2 else (width, length)
        image = torch.ones(1, traced.shape[0], *side, dtype=torch.float64, requires_grad=True)
        try:
            out = _reach(net, image, traced.last_map)
            break
        except RuntimeError:  # too narrow for a kernel
            width += across.jump
            if width > 64 * across.jump:
                raise
    (first, last), (second, _) = (_reached(out.select(dim, u), image)[dim - 2] for u in (unit, unit + 1))
    jump = second - first
    return Axis(first - unit * jump, last - unit * jump, jump)


def _reached(units: Tensor, image: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first and last row, and the first and last column, of `image` that `units` depend on."""
    (gradient,) = torch.autograd.grad(units.sum(), image, retain_graph=True)
    reached = (gradient != 0)[0].any(0)
    rows, columns = (reached.any(axis).nonzero().flatten() for axis in (1, 0))
    return (int(rows[0]), int(rows[-1])), (int(columns[0]), int(columns[-1]))


def _reach(net: nn.Module, image: Tensor, row: int) -> Tensor:
    """The result of the row with index `row`."""
    reach = Reach(image, row)
    try:
        with reach.watching(net):
            net(image)
    except Reached as reached:
        return reached.out
    raise AssertionError(f"the forward pass has no row {row}")


def _positive(net: nn.Module) -> nn.Module:
    """A float64 copy of `net` whose filters average; buffers such as masks keep their values, or are ones on meta.

    Each parameter is an expanded scalar, so that fully connected layers take no memory.
    """
    memo: dict[int, Any] = {}
    for name, parameter in net.named_parameters():
        value = 0.0 if name.endswith("bias") else 1 / parameter[0].numel() if parameter.ndim > 1 else 1.0
        constant = torch.full((), value, dtype=torch.float64).expand(parameter.shape)
        memo[id(parameter)] = nn.Parameter(constant, requires_grad=False)
    for buffer in net.buffers():
        dtype = torch.float64 if buffer.is_floating_point() else buffer.dtype
        unknown = torch.full(buffer.shape, int(buffer.is_floating_point()), dtype=dtype)
        memo[id(buffer)] = unknown if buffer.is_meta else buffer.detach().to(dtype)
    return copy.deepcopy(net, memo).eval()
