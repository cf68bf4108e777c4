"""The cross-correlation and its adjoint as autograd functions whose passes are computed by any method."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cnnlab.ops.bf16 import has_bf16_units
from cnnlab.ops.layout import Layout, height_width
from cnnlab.ops.methods import BY_NAME, METHODS, JointGradients
from cnnlab.ops.size import Pair

Gradients = tuple[Tensor | None, ...]


def _without_autocast(backward: Callable[[Any, Tensor], Gradients]) -> Callable[[Any, Tensor], Gradients]:
    """Disable autocast in a backward pass, as PyTorch does."""

    @wraps(backward)
    def disabled(ctx: Any, gradient: Tensor) -> Gradients:
        with torch.autocast(gradient.device.type, enabled=False):
            return backward(ctx, gradient)

    return disabled


def compute_precision(x: Tensor) -> Tensor:
    """Convert bfloat16 to float32 if the device has no bfloat16 units, where such products are slow."""
    return x.float() if x.dtype == torch.bfloat16 and not has_bf16_units(x.device.type) else x


class CrossCorrelation(torch.autograd.Function):
    """y = w * x + b by a given method, and its gradients.

    With e the gradient of y, stride s and dilation d, the chain rule gives

        gradient of b[o]:           sum of e[n, o, i, j] over n, i, j
        gradient of w[o, c, u, v]:  sum of e[n, o, i, j] x[n, c, i s + u d, j s + v d] over n, i, j;
                                    the cross-correlation of x and e
        gradient of x[n, c, p, q]:  sum of e[n, o, i, j] w[o, c, u, v] over all o, i, j, u, v with i s + u d = p and
                                    j s + v d = q; the true convolution of e and w
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, layout: Layout, method: str) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.layout, ctx.method = layout, BY_NAME[method]
        with torch.autocast(x.device.type, enabled=False):
            y = ctx.method.forward(compute_precision(x), compute_precision(weight), layout).to(x.dtype)
        return y if bias is None else y + bias[:, None, None]

    @staticmethod
    @once_differentiable
    @_without_autocast
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        for_x, for_weight, for_bias = ctx.needs_input_grad[:3]
        bias_gradient = gradient.sum((0, 2, 3)) if for_bias else None
        dtype = gradient.dtype
        x, weight, gradient = map(compute_precision, (*ctx.saved_tensors, gradient))
        if not (for_x and for_weight and ctx.layout.stride == (1, 1) and isinstance(ctx.method, JointGradients)):
            gradients = (
                ctx.method.input_gradient(gradient, weight, height_width(x), ctx.layout) if for_x else None,
                ctx.method.weight_gradient(x, gradient, height_width(weight), ctx.layout) if for_weight else None,
            )
        else:
            gradients = ctx.method.both_gradients(x, gradient, weight, ctx.layout)
        return *(None if g is None else g.to(dtype) for g in gradients), bias_gradient, None, None


class Adjoint(torch.autograd.Function):
    """The input gradient of a cross-correlation as an operator: the transposed convolution."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, weight: Tensor, sizes: Pair, layout: Layout, method: str) -> Tensor:
        ctx.save_for_backward(y, weight)
        ctx.layout, ctx.method = layout, METHODS[method]
        with torch.autocast(y.device.type, enabled=False):
            return ctx.method.input_gradient(compute_precision(y), compute_precision(weight), sizes, layout).to(y.dtype)

    @staticmethod
    @once_differentiable
    @_without_autocast
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        dtype = gradient.dtype
        y, weight, gradient = map(compute_precision, (*ctx.saved_tensors, gradient))
        for_y = ctx.method.forward(gradient, weight, ctx.layout)
        for_weight = ctx.method.weight_gradient(gradient, y, height_width(weight), ctx.layout)
        return for_y.to(dtype), for_weight.to(dtype), None, None, None
