"""Parameter groups for weight decay and for the learning rate of biases."""

from typing import Any

from torch import nn


def param_groups(net: nn.Module, bias_lr_factor: float = 1.0, bias_weight_decay: float = 0.0) -> list[dict[str, Any]]:
    """Return groups for an optimizer: weights with two or more dimensions, and norms and biases without weight decay.

    Args:
        bias_lr_factor: the `lr_factor` of the biases, including those of norms. If it is not 1, or the biases decay,
            they form a third group.
        bias_weight_decay: weight decay of the biases.
    """
    trainable = {name: p for name, p in net.named_parameters() if p.requires_grad}
    decayed = [p for p in trainable.values() if p.ndim > 1]
    rest = {name: p for name, p in trainable.items() if p.ndim <= 1}
    if bias_lr_factor == 1 and not bias_weight_decay:
        return [{"params": decayed}, {"params": [*rest.values()], "weight_decay": 0.0}]
    biases = [p for name, p in rest.items() if name.endswith("bias")]
    scales = [p for name, p in rest.items() if not name.endswith("bias")]
    groups: list[dict[str, Any]] = [
        {"params": decayed},
        {"params": scales, "weight_decay": 0.0},
        {"params": biases, "weight_decay": bias_weight_decay, "lr_factor": bias_lr_factor},
    ]
    return [group for group in groups if group["params"]]
