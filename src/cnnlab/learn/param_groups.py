"""Which parameters the weight decay reaches."""

from typing import Any

from torch import nn


def param_groups(net: nn.Module) -> list[dict[str, Any]]:
    """Two groups for an optimizer: weights of two and more dimensions, and norms and biases without weight decay."""
    parameters = [p for p in net.parameters() if p.requires_grad]
    decayed = [p for p in parameters if p.ndim > 1]
    rest = [p for p in parameters if p.ndim <= 1]
    return [{"params": decayed}, {"params": rest, "weight_decay": 0.0}]
