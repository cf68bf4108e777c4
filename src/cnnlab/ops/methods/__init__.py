"""Interchangeable methods to compute a cross-correlation and its two gradients.

Each method is a module with the functions `supports(kernel_size, layout)`, `forward(x, weight, layout)`,
`input_gradient(gradient, weight, sizes, layout)` and `weight_gradient(x, gradient, kernel_size, layout)`. There,
`gradient` is the gradient of the output, and `sizes` are the height and width of the input. A method may also provide
`JointGradients`.
"""

from typing import Protocol, runtime_checkable

from torch import Tensor

from cnnlab.ops.layout import Layout
from cnnlab.ops.methods import auto, fft, im2col, loop, shifted, winograd


@runtime_checkable
class JointGradients(Protocol):
    """A method that can compute both gradients together at lower cost, for stride 1."""

    def both_gradients(self, x: Tensor, gradient: Tensor, weight: Tensor, layout: Layout) -> tuple[Tensor, Tensor]: ...


METHODS = {"loop": loop, "shifted": shifted, "im2col": im2col, "fft": fft, "winograd": winograd}
BY_NAME = METHODS | {"auto": auto}  # auto selects a method or PyTorch for each pass
