"""Select the fastest method for each pass of a convolution, or PyTorch's convolution, by a fixed rule.

The rule measures nothing at run time, so the result does not depend on the load of the machine. It applies to 3x3
kernels at stride 1 with many channels on a CPU; PyTorch computes all other convolutions. With many channels, the
products cost more than Winograd's transforms, so Winograd is fastest for every pass in float32. In bfloat16, PyTorch is
slow on small maps, above all for the weight's gradient, and the single large product of im2col is fast.
"""

from types import ModuleType

import torch
from torch import Tensor

from cnnlab.ops.layout import Layout, height_width
from cnnlab.ops.methods import im2col, winograd
from cnnlab.ops.size import Pair

MANY = 256 * 256  # input channels times output channels
SMALL, SMALL_FOR_WEIGHT = 4 * 4, 8 * 8  # pixels of a map
FEWEST_PIXELS = 256  # in a batch; for fewer pixels, the transforms of the kernels cost too much


def may_differ(weight: Tensor, layout: Layout) -> bool:
    """Whether the rule selects another method than PyTorch for some pass over some batch."""
    fits = winograd.supports(height_width(weight), layout) and layout.groups == 1
    return fits and weight.shape[0] * weight.shape[1] >= MANY


def differs(x: Tensor, weight: Tensor, layout: Layout) -> bool:
    """Whether the rule selects another method than PyTorch for some pass over this batch."""
    return may_differ(weight, layout) and _fastest(x, SMALL_FOR_WEIGHT) is not None


def _fastest(x: Tensor, small: int) -> ModuleType | None:
    """The method for maps like `x`, in a layer for which `may_differ` is True; None for PyTorch."""
    pixels = x.shape[2] * x.shape[3]
    if x.device.type != "cpu" or len(x) * pixels < FEWEST_PIXELS:
        return None
    if x.dtype == torch.bfloat16 and pixels <= small:
        return im2col
    return winograd if x.dtype == torch.float32 else None


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C, 3, 3) to (N, O, H', W')."""
    method = _fastest(x, SMALL)
    return method.forward(x, weight, layout) if method else torch.convolution(x, weight, None, *_arguments(layout))


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """(N, O, H', W') and (O, C, 3, 3) to (N, C, *sizes)."""
    if method := _fastest(gradient, SMALL):
        return method.input_gradient(gradient, weight, sizes, layout)
    x = gradient.new_empty(1).expand(len(gradient), weight.shape[1], *sizes)  # PyTorch reads only its shape
    return _torch_gradients(gradient, x, weight, layout, [True, False, False])[0]


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """(N, C, H, W) and (N, O, H', W') to (O, C, *kernel_size)."""
    if method := _fastest(x, SMALL_FOR_WEIGHT):
        return method.weight_gradient(x, gradient, kernel_size, layout)
    weight = x.new_empty(1).expand(gradient.shape[1], x.shape[1], *kernel_size)
    return _torch_gradients(gradient, x, weight, layout, [False, True, False])[1]


def _torch_gradients(gradient: Tensor, x: Tensor, weight: Tensor, layout: Layout, mask: list[bool]) -> list[Tensor]:
    return torch.ops.aten.convolution_backward(gradient, x, weight, None, *_arguments(layout), mask)


def _arguments(layout: Layout) -> tuple[list[int], list[int], list[int], bool, list[int], int]:
    """Stride, padding (equal on opposite sides), dilation, transposed, output padding and groups."""
    padding = [before for before, _ in layout.padding]
    return list(layout.stride), padding, list(layout.dilation), False, [0, 0], layout.groups
