"""Which parameters the weight decay reaches, and which have a rate of their own."""

from typing import Any

from torch import nn


def param_groups(net: nn.Module, bias_lr_factor: float = 1.0) -> list[dict[str, Any]]:
    """Groups for an optimizer: weights of two and more dimensions, and norms and biases without weight decay.

    Args:
        bias_lr_factor: where it is not 1, the biases, those of norms too, are a group whose `lr_factor` it is.
    """
    learned = {name: p for name, p in net.named_parameters() if p.requires_grad}
    decayed = [p for p in learned.values() if p.ndim > 1]
    rest = {name: p for name, p in learned.items() if p.ndim <= 1}
    if bias_lr_factor == 1:
        return [{"params": decayed}, {"params": [*rest.values()], "weight_decay": 0.0}]
    biases = [p for name, p in rest.items() if name.endswith("bias")]
    scales = [p for name, p in rest.items() if not name.endswith("bias")]
    groups: list[dict[str, Any]] = [
        {"params": decayed},
        {"params": scales, "weight_decay": 0.0},
        {"params": biases, "weight_decay": 0.0, "lr_factor": bias_lr_factor},
    ]
    return [group for group in groups if group["params"]]
