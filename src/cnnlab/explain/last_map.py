"""The feature maps of a forward pass, wherever they come from: a module, `torch.cat`, `+` or `torch.tanh`.

The same mechanism as in the trace of `analyze` observes them, so the last map here is the trace's last map.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.analysis.calls import Calls, tensors_in
from cnnlab.analysis.field import Field
from cnnlab.analysis.trace import trace


class NoMap(ValueError):
    """A network has no feature map."""


class Maps(Calls):
    """Keeps the feature maps with more than one position, by the index of their row in the trace.

    Attributes:
        maps: tensors (N, K, h, w).
        only_last: drop a map when the next one is there.
    """

    def __init__(self, x: Tensor, only_last: bool = False) -> None:
        super().__init__(x)
        self.maps: dict[int, Tensor] = {}
        self.only_last = only_last
        self._count = 0

    def seen(self, name: str, inputs: list[Tensor], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        result = next(tensors_in(out))
        if result.ndim == 4 and result.shape[2] * result.shape[3] > 1:
            if self.only_last:
                self.maps.clear()
            self.maps[self._count] = result
        self._count += 1


@dataclass(frozen=True)
class LastMap:
    """The last feature map A of a network, and what it does to a logit.

    Attributes:
        activations: A, (N, K, h, w).
        gradients: of each image's logit with respect to A, (N, K, h, w).
    """

    activations: Tensor
    gradients: Tensor


def last_map(net: nn.Module, x: Tensor, classes: Tensor) -> LastMap:
    """The last map of `net` for images x (N, C, H, W), with the gradients of the logits of `classes` (N,).

    Raises:
        NoMap: `net` has no feature map.
    """
    with torch.enable_grad():
        inputs = x.detach().clone().requires_grad_().clone()  # not a leaf, so that the network may change it in place
        recorder = Maps(inputs, only_last=True)
        with recorder.watching(net):
            logits = net(inputs)
        if not recorder.maps:
            raise NoMap("net must have a feature map with more than one position, and has none")
        (activations,) = recorder.maps.values()
        selected = logits.gather(1, classes.to(logits.device)[:, None]).sum()
        (gradients,) = torch.autograd.grad(selected, activations)
    return LastMap(activations.detach(), gradients)


def field_of_last_map(net: nn.Module, x: Tensor) -> Field | None:
    """The receptive field of the last map's units; None for the whole image, or where no rule describes it."""
    try:
        return trace(net, x.shape[1], (x.shape[2], x.shape[3])).field
    except ValueError:
        return None
