"""The feature maps of one image, stage by stage."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnnlab.analysis.trace import trace
from cnnlab.explain.last_map import Maps, NoMap


@dataclass(frozen=True)
class Stage:
    """The last feature map of its resolution.

    Attributes:
        name: of the row in the trace of `analyze`.
        maps: (K, h, w).
    """

    name: str
    maps: Tensor

    def strongest(self, count: int) -> list[int]:
        """The channels that vary most over the image, in descending order."""
        return self.maps.flatten(1).std(1).argsort(descending=True)[:count].tolist()


@torch.no_grad()
def stages_of(net: nn.Module, x: Tensor) -> list[Stage]:
    """The last map of each resolution for one image x (1, C, H, W), from the first to the last.

    Raises:
        NoMap: `net` has no feature map.
        ValueError: no rule of the trace describes a function of `net`.
    """
    x = x.clone()
    recorder = Maps(x)
    with recorder.watching(net):
        net(x)
    if not recorder.maps:
        raise NoMap("net must have a feature map with more than one position, and has none")
    rows = trace(net, x.shape[1], (x.shape[2], x.shape[3])).rows
    last = {tuple(maps.shape[2:]): (index, maps) for index, maps in recorder.maps.items()}
    return [Stage(rows[index].name, maps[0]) for index, maps in sorted(last.values(), key=lambda item: item[0])]
