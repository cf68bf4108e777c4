"""For each pass of a convolution the method that is fastest there, PyTorch's own included, by a fixed rule.

It is no measurement at the start, so that a run computes the same on a busy machine as on a quiet one. It knows 3x3
kernels at stride 1 with many channels on a processor, and leaves all else to PyTorch. There the products outweigh the
transforms, so that in float32 Winograd's fewer multiplications win in every pass. In bfloat16 PyTorch is slow on small
maps, above all in the weight's gradient, and im2col's one large product is not.
"""

from types import ModuleType

import torch
from torch import Tensor

from cnnlab.ops.layout import Layout
from cnnlab.ops.methods import im2col, winograd
from cnnlab.ops.size import Pair

MANY = 256 * 256  # channels in times channels out
SMALL, SMALL_FOR_WEIGHT = 4 * 4, 8 * 8  # pixels of a map
FEWEST_PIXELS = 256  # of a batch; for fewer the kernels' transforms are not worth while


def may_differ(weight: Tensor, layout: Layout) -> bool:
    """Whether some pass over some batch is not left to PyTorch."""
    fits = winograd.supports((weight.shape[2], weight.shape[3]), layout) and layout.groups == 1
    return fits and weight.shape[0] * weight.shape[1] >= MANY


def differs(x: Tensor, weight: Tensor, layout: Layout) -> bool:
    """Whether some pass over this batch is not left to PyTorch."""
    return may_differ(weight, layout) and _fastest(x, SMALL_FOR_WEIGHT) is not None


def _fastest(x: Tensor, small: int) -> ModuleType | None:
    """The method for maps like those of `x` in a layer that may differ; None for PyTorch's own."""
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
    """(N, O, H', W') to (N, C, *sizes)."""
    if method := _fastest(gradient, SMALL):
        return method.input_gradient(gradient, weight, sizes, layout)
    x = gradient.new_empty(1).expand(len(gradient), weight.shape[1], *sizes)  # of which only the shape counts
    return _library_gradients(gradient, x, weight, layout, [True, False, False])[0]


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """(N, C, H, W) and (N, O, H', W') to (O, C, *kernel_size)."""
    if method := _fastest(x, SMALL_FOR_WEIGHT):
        return method.weight_gradient(x, gradient, kernel_size, layout)
    weight = x.new_empty(1).expand(gradient.shape[1], x.shape[1], *kernel_size)
    return _library_gradients(gradient, x, weight, layout, [False, True, False])[1]


def _library_gradients(gradient: Tensor, x: Tensor, weight: Tensor, layout: Layout, which: list[bool]) -> list[Tensor]:
    return torch.ops.aten.convolution_backward(gradient, x, weight, None, *_arguments(layout), which)


def _arguments(layout: Layout) -> tuple[list[int], list[int], list[int], bool, list[int], int]:
    """Stride, padding, dilation, not transposed, no padding of the output, groups; padding is equal on both sides."""
    padding = [before for before, _ in layout.padding]
    return list(layout.stride), padding, list(layout.dilation), False, [0, 0], layout.groups
