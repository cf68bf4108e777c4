"""Muon: an orthogonal step for each layer's filters, and SGD for everything else, in one optimizer."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

# x -> a x + b x^3 + c x^5, over and over, brings every singular value from (0, 1] to between about 0.7 and 1.2.
A, B, C = 3.4445, -4.7750, 2.0315
TINY = 1e-7


class Muon(Optimizer):
    """Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.

    A filter of shape (C_out, C_in, K, K) is a matrix (C_out, C_in K K), as in im2col. Its Nesterov momentum U S V^T is
    replaced by about U V^T, times sqrt(max(1, C_out / (C_in K K))), so that no direction of the matrix waits for the
    others; the weight decay is decoupled. So the matrix moves as by `torch.optim.Muon`, which refuses filters. All that
    has not four dimensions, fully connected layers, norms and biases, gets SGD with Nesterov momentum, as by
    `torch.optim.SGD`. Jordan's script for CIFAR-10 also brings each filter back to one norm before a step.

    Args:
        params: parameters, or groups of them; a group's own `lr` and `weight_decay` are for all of its parameters.
        lr, momentum, weight_decay: of the filters; filters with C_out outputs move by about `lr` times sqrt(C_out).
        steps: of the iteration that orthogonalizes.
        sgd_lr, sgd_momentum, sgd_weight_decay: of the other parameters.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        steps: int = 5,
        sgd_lr: float = 0.05,
        sgd_momentum: float = 0.9,
        sgd_weight_decay: float = 0.0,
    ) -> None:
        decays = {"weight_decay": weight_decay, "sgd_weight_decay": sgd_weight_decay}
        for name, value in {"lr": lr, "sgd_lr": sgd_lr, **decays}.items():
            if value < 0:
                raise ValueError(f"{name} must be at least 0, got {value}")
        for name, value in (("momentum", momentum), ("sgd_momentum", sgd_momentum)):
            if not 0 <= value < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {value}")
        if not isinstance(steps, int) or steps < 1:
            raise ValueError(f"steps must be a whole number of at least 1, got {steps}")
        filters = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "steps": steps}
        others = {"lr": sgd_lr, "momentum": sgd_momentum, "weight_decay": sgd_weight_decay, "steps": 0}
        given = [group if isinstance(group, dict) else {"params": [group]} for group in params]
        given = [group | {"params": list(group["params"])} for group in given]
        groups = [
            defaults | group | {"params": kept}
            for defaults, is_filter in ((filters, True), (others, False))
            for group in given
            if (kept := [p for p in group["params"] if (p.ndim == 4) is is_filter])
        ]
        super().__init__(groups, {})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; a group without orthogonalizing `steps` is SGD's."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            update = _filter_step if group["steps"] else _sgd_step
            for p in group["params"]:
                if p.grad is not None:
                    state = self.state[p]
                    if not state:
                        state["momentum_buffer"] = torch.zeros_like(p)
                    update(p, p.grad, state["momentum_buffer"], group)
        return loss


def _filter_step(p: Tensor, gradient: Tensor, buffer: Tensor, group: dict[str, Any]) -> None:
    buffer.lerp_(gradient, 1 - group["momentum"])
    matrix = gradient.lerp(buffer, group["momentum"]).flatten(1)
    rows, columns = matrix.shape
    rate = group["lr"] * max(1, rows / columns) ** 0.5
    p.mul_(1 - group["lr"] * group["weight_decay"])
    p.add_(orthogonalized(matrix, group["steps"]).view(p.shape), alpha=-rate)


def _sgd_step(p: Tensor, gradient: Tensor, buffer: Tensor, group: dict[str, Any]) -> None:
    gradient = gradient.add(p, alpha=group["weight_decay"])
    buffer.mul_(group["momentum"]).add_(gradient)
    p.add_(gradient.add(buffer, alpha=group["momentum"]), alpha=-group["lr"])


def orthogonalized(matrix: Tensor, steps: int) -> Tensor:
    """About U V^T of `matrix` = U S V^T, by `steps` Newton-Schulz iterations of the fifth degree.

    In bfloat16 on a card, where it is enough and fast; a processor may have no units for it.
    """
    x = matrix.bfloat16() if matrix.is_cuda else matrix
    is_tall = x.shape[0] > x.shape[1]
    if is_tall:
        x = x.T
    x = x / x.norm().clamp(min=TINY)  # so that no singular value is above 1
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)
    return (x.T if is_tall else x).to(matrix.dtype)
