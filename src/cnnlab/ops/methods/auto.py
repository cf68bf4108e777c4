"""Select the fastest method for each pass of a convolution, or PyTorch's convolution, by a fixed rule.

The rule measures nothing at run time, so the result does not depend on the load of the machine. It applies to 3x3
kernels at stride 1 with many channels on a CPU; PyTorch computes all other convolutions. With many channels, the
products cost more than Winograd's transforms, so Winograd can be faster in float32. In bfloat16, PyTorch is slow on
small maps, above all for the weight's gradient, and the single large product of im2col is fast. From which size on
depends on the CPU's instructions.
"""

import math
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor

from cnnlab.ops.bf16 import has_amx, has_bf16_units
from cnnlab.ops.layout import Layout, height_width
from cnnlab.ops.methods import im2col, winograd
from cnnlab.ops.size import Pair

MANY = 256 * 256  # input channels times output channels
FEWEST_PIXELS = 256  # in a batch; for fewer pixels, the transforms of the kernels cost too much


class Rule(NamedTuple):
    """The largest maps, in pixels, for which a method is faster than PyTorch.

    Attributes:
        im2col: in bfloat16, for the output and the input's gradient.
        im2col_for_weight: in bfloat16, for the weight's gradient.
        winograd: in float32.
        winograd_channels: input channels times output channels from which `winograd` holds.
    """

    im2col: int
    im2col_for_weight: int
    winograd: float
    winograd_channels: int


# Measured with 256 channels of 8x8 and 7x7 and 512 of 4x4: on an AMD EPYC (family 26), with one and two threads; on an
# Intel Xeon at 2.5 GHz with AVX-512 and without bfloat16; with AMX on a machine whose measurements were not recorded.
WITH_AMX = Rule(im2col=4 * 4, im2col_for_weight=8 * 8, winograd=math.inf, winograd_channels=MANY)
WITH_AVX512_BF16 = Rule(im2col=0, im2col_for_weight=4 * 4, winograd=4 * 4, winograd_channels=512 * 512)
WITHOUT_BF16 = Rule(im2col=0, im2col_for_weight=0, winograd=math.inf, winograd_channels=MANY)


def rule() -> Rule:
    """The rule for this CPU."""
    if not has_bf16_units("cpu"):
        return WITHOUT_BF16
    return WITH_AMX if has_amx() else WITH_AVX512_BF16


def may_differ(weight: Tensor, layout: Layout) -> bool:
    """Whether the rule selects another method than PyTorch for some pass over some batch."""
    fits = winograd.supports(height_width(weight), layout) and layout.groups == 1
    return fits and weight.shape[0] * weight.shape[1] >= MANY


def differs(x: Tensor, weight: Tensor, layout: Layout) -> bool:
    """Whether the rule selects another method than PyTorch for some pass over this batch."""
    return may_differ(weight, layout) and _fastest(x, len(weight), for_weight=True) is not None


def _fastest(x: Tensor, channels: int, for_weight: bool = False) -> ModuleType | None:
    """The method for maps like `x` in a layer for which `may_differ` is True; None for PyTorch.

    Args:
        x: input or output of the layer.
        channels: of its output or its input.
        for_weight: for the weight's gradient.
    """
    pixels = x.shape[2] * x.shape[3]
    if x.device.type != "cpu" or len(x) * pixels < FEWEST_PIXELS:
        return None
    best = rule()
    if x.dtype == torch.bfloat16:
        return im2col if pixels <= (best.im2col_for_weight if for_weight else best.im2col) else None
    is_winograds = pixels <= best.winograd and x.shape[1] * channels >= best.winograd_channels
    return winograd if x.dtype == torch.float32 and is_winograds else None


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C, 3, 3) to (N, O, H', W')."""
    method = _fastest(x, len(weight))
    return method.forward(x, weight, layout) if method else torch.convolution(x, weight, None, *_arguments(layout))


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """(N, O, H', W') and (O, C, 3, 3) to (N, C, *sizes)."""
    if method := _fastest(gradient, weight.shape[1]):
        return method.input_gradient(gradient, weight, sizes, layout)
    x = gradient.new_empty(1).expand(len(gradient), weight.shape[1], *sizes)  # PyTorch reads only its shape
    return _torch_gradients(gradient, x, weight, layout, [True, False, False])[0]


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """(N, C, H, W) and (N, O, H', W') to (O, C, *kernel_size)."""
    if method := _fastest(x, gradient.shape[1], for_weight=True):
        return method.weight_gradient(x, gradient, kernel_size, layout)
    weight = x.new_empty(1).expand(gradient.shape[1], x.shape[1], *kernel_size)
    return _torch_gradients(gradient, x, weight, layout, [False, True, False])[1]


def _torch_gradients(gradient: Tensor, x: Tensor, weight: Tensor, layout: Layout, mask: list[bool]) -> list[Tensor]:
    return torch.ops.aten.convolution_backward(gradient, x, weight, None, *_arguments(layout), mask)


def _arguments(layout: Layout) -> tuple[list[int], list[int], list[int], bool, list[int], int]:
    """Stride, padding (equal on opposite sides), dilation, transposed, output padding and groups."""
    padding = [before for before, _ in layout.padding]
    return list(layout.stride), padding, list(layout.dilation), False, [0, 0], layout.groups
