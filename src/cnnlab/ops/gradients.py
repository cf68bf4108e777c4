"""The cross-correlation and its adjoint as functions with their gradients written out, by any of the methods."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cnnlab.ops.bf16 import has_bf16_units
from cnnlab.ops.layout import Layout
from cnnlab.ops.methods import BY_NAME, METHODS
from cnnlab.ops.size import Pair

Gradients = tuple[Tensor | None, ...]


def _without_autocast(backward: Callable[[Any, Tensor], Gradients]) -> Callable[[Any, Tensor], Gradients]:
    """A backward pass within autocast computes in the types that it is given, as PyTorch's own do."""

    @wraps(backward)
    def in_the_tensors_types(ctx: Any, gradient: Tensor) -> Gradients:
        with torch.autocast(gradient.device.type, enabled=False):
            return backward(ctx, gradient)

    return in_the_tensors_types


def multiplied(x: Tensor) -> Tensor:
    """`x` as it is multiplied: in float32 where there are no units for bfloat16, whose products are slow there."""
    return x.float() if x.dtype == torch.bfloat16 and not has_bf16_units(x.device.type) else x


class CrossCorrelation(torch.autograd.Function):
    """y = w * x + b for a fixed method, and its gradients given e, the loss's gradient by y.

    By the chain rule, every output number hands its e back to what it was made of:

        of b[o]              the sum of e[:, o] over images and positions
        of w[o, c, u, v]     the sum of e[n, o, i, j] x[n, c, i s + u d, j s + v d]: x correlated with e
        of x[n, c, p, q]     the sum of e[n, o, i, j] w[o, c, u, v] where i s + u d = p, j s + v d = q: e truly
                             convolved with w
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, layout: Layout, method: str) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.layout, ctx.method = layout, BY_NAME[method]
        with torch.autocast(x.device.type, enabled=False):
            y = ctx.method.forward(multiplied(x), multiplied(weight), layout).to(x.dtype)
        return y if bias is None else y + bias[:, None, None]

    @staticmethod
    @once_differentiable
    @_without_autocast
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        for_x, for_weight, for_bias = ctx.needs_input_grad[:3]
        bias_gradient = gradient.sum((0, 2, 3)) if for_bias else None
        dtype = gradient.dtype
        x, weight, gradient = (multiplied(tensor) for tensor in (*ctx.saved_tensors, gradient))
        sizes, kernel_size = (x.shape[2], x.shape[3]), (weight.shape[2], weight.shape[3])
        if for_x and for_weight and ctx.layout.stride == (1, 1) and hasattr(ctx.method, "both_gradients"):
            gradients = ctx.method.both_gradients(x, gradient, weight, ctx.layout)
        else:
            gradients = (
                ctx.method.input_gradient(gradient, weight, sizes, ctx.layout) if for_x else None,
                ctx.method.weight_gradient(x, gradient, kernel_size, ctx.layout) if for_weight else None,
            )
        return *(None if g is None else g.to(dtype) for g in gradients), bias_gradient, None, None


class Adjoint(torch.autograd.Function):
    """x = w' * y, the input gradient of a cross-correlation taken as an operator of its own."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, weight: Tensor, sizes: Pair, layout: Layout, method: str) -> Tensor:
        ctx.save_for_backward(y, weight)
        ctx.layout, ctx.method = layout, METHODS[method]
        with torch.autocast(y.device.type, enabled=False):
            return ctx.method.input_gradient(multiplied(y), multiplied(weight), sizes, layout).to(y.dtype)

    @staticmethod
    @once_differentiable
    @_without_autocast
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        dtype = gradient.dtype
        y, weight, gradient = (multiplied(tensor) for tensor in (*ctx.saved_tensors, gradient))
        kernel_size = (weight.shape[2], weight.shape[3])
        for_y = ctx.method.forward(gradient, weight, ctx.layout)
        for_weight = ctx.method.weight_gradient(gradient, y, kernel_size, ctx.layout)
        return for_y.to(dtype), for_weight.to(dtype), None, None, None
