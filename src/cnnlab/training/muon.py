"""Muon: orthogonalized updates for convolution filters and SGD for all other parameters, in one optimizer."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from cnnlab.limits import Count, FractionBelow1, NonNegative, checked
from cnnlab.ops.bf16 import has_bf16_units

# Iterating x -> A x + B x^3 + C x^5 brings large singular values to between about 0.7 and 1.2. A small one grows by A
# per iteration, so that those below about 0.7 A^-steps of the norm, 0.0014 after 5 steps, do not get there.
A, B, C = 3.4445, -4.7750, 2.0315
EPSILON = 1e-7


class Muon(Optimizer):
    """Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.

    Filters (C_out, C_in, K, K) are viewed as a matrix (C_out, C_in K K), as in im2col. Their Nesterov momentum
    U S V^T is replaced by approximately U V^T, so that all but its weakest directions are updated by about the same
    amount, and scaled by sqrt(max(1, C_out / (C_in K K))). The weight decay is decoupled. This is the update of
    `torch.optim.Muon`, which does not accept four dimensions. Parameters with fewer or more than four dimensions
    (fully connected layers, norms, biases) are updated as in `torch.optim.SGD` with Nesterov momentum.

    Args:
        params: parameters or parameter groups. The `lr` and `weight_decay` of a group apply to all of its parameters.
        lr, momentum, weight_decay: hyperparameters of the filters. The norm of an update is about `lr` * sqrt(C_out).
        steps: number of Newton-Schulz iterations.
        normalize: rescale the filters of each layer to the norm sqrt(C_out) before each step, as Jordan's script for
            CIFAR-10 does. This suits networks in which a norm follows each convolution.
        sgd_lr, sgd_momentum, sgd_weight_decay: hyperparameters of the other parameters.

    Raises:
        ValueError: a learning rate or weight decay is negative, a momentum is outside [0, 1), or `steps` is not a
            positive integer.
    """

    @checked
    def __init__(
        self,
        params: Iterable[Any],
        lr: NonNegative = 0.02,
        momentum: FractionBelow1 = 0.95,
        weight_decay: NonNegative = 0.0,
        steps: Count = 5,
        normalize: bool = False,
        sgd_lr: NonNegative = 0.05,
        sgd_momentum: FractionBelow1 = 0.9,
        sgd_weight_decay: NonNegative = 0.0,
    ) -> None:
        filters = {
            "lr": lr, "momentum": momentum, "weight_decay": weight_decay, "steps": steps, "normalize": normalize,
        }  # fmt: skip
        others = {"lr": sgd_lr, "momentum": sgd_momentum, "weight_decay": sgd_weight_decay, "steps": 0}
        groups = [group if isinstance(group, dict) else {"params": [group]} for group in params]
        groups = [group | {"params": list(group["params"])} for group in groups]  # iterators are read only once
        split = [
            defaults | group | {"params": selected}
            for defaults, is_filter in ((filters, True), (others, False))
            for group in groups
            if (selected := [p for p in group["params"] if (p.ndim == 4) is is_filter])
        ]
        super().__init__(split, {})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters; groups with `steps` = 0 use SGD."""
        with torch.enable_grad():
            loss = closure() if closure else None
        for group in self.param_groups:
            update = _filter_step if group["steps"] else _sgd_step
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(p)
                update(p, p.grad, self.state[p]["momentum_buffer"], group)
        return loss


def _filter_step(p: Tensor, gradient: Tensor, buffer: Tensor, group: dict[str, Any]) -> None:
    buffer.lerp_(gradient, 1 - group["momentum"])
    matrix = gradient.lerp(buffer, group["momentum"]).flatten(1)
    rows, columns = matrix.shape
    lr = group["lr"] * max(1, rows / columns) ** 0.5
    if group.get("normalize"):  # checkpoints of older versions lack it
        p.mul_(rows**0.5 / p.norm().clamp(min=EPSILON))
    p.mul_(1 - group["lr"] * group["weight_decay"])
    p.add_(orthogonalized(matrix, group["steps"]).view(p.shape), alpha=-lr)


def _sgd_step(p: Tensor, gradient: Tensor, buffer: Tensor, group: dict[str, Any]) -> None:
    gradient = gradient.add(p, alpha=group["weight_decay"])
    buffer.mul_(group["momentum"]).add_(gradient)
    p.add_(gradient.add(buffer, alpha=group["momentum"]), alpha=-group["lr"])


def orthogonalized(matrix: Tensor, steps: int) -> Tensor:
    """Approximate U V^T of `matrix` = U S V^T with `steps` Newton-Schulz iterations of degree 5.

    The iterations run in bfloat16 on devices with units for it, which is accurate enough and faster.
    """
    x = matrix / matrix.norm().clamp(min=EPSILON)  # singular values of at most 1
    if has_bf16_units(matrix.device.type):
        x = x.bfloat16()
    is_tall = x.shape[0] > x.shape[1]
    if is_tall:
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)
    return (x.T if is_tall else x).to(matrix.dtype)
