"""The filters of the first convolution, which are small images themselves."""

from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.analysis.calls import Calls


class FirstFilters(Calls):
    """Keeps the weight of the first convolution.

    Attributes:
        name: of its module.
        weight: (K, C, h, w); None if there is no convolution.
    """

    name: str = ""
    weight: Tensor | None = None

    def seen(self, name: str, inputs: list[Tensor], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if name == "conv2d" and self.weight is None:
            self.name = self.stack[-1] if self.stack else ""
            self.weight = args[1] if len(args) > 1 else kwargs["weight"]


@torch.no_grad()
def first_filters(net: nn.Module, x: Tensor) -> tuple[str, Tensor]:
    """The name of the first convolution that images x (N, C, H, W) reach, and its filters (K, C, h, w).

    Raises:
        ValueError: `net` has no convolution.
    """
    x = x.clone()
    recorder = FirstFilters(x)
    with recorder.watching(net):
        net(x)
    if recorder.weight is None:
        raise ValueError("net must have a convolution, and has none")
    return recorder.name, recorder.weight.detach()
