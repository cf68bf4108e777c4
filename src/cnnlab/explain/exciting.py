"""The images that excite a unit most: a unit is a channel of the last feature map."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnnlab.explain.last_map import Maps, NoMap


@dataclass(frozen=True)
class Excitation:
    """The largest activation of each unit in each image.

    Attributes:
        values: (N, K).
        positions: (N, K, 2), row and column in the map.
    """

    values: Tensor
    positions: Tensor

    def most_selective(self, count: int) -> list[int]:
        """The units whose activation varies most over the images, in units of its mean; descending."""
        spread = self.values.std(0) / self.values.abs().mean(0).clamp(min=1e-12)
        return spread.argsort(descending=True)[:count].tolist()

    def images(self, unit: int, count: int) -> list[int]:
        """The images that excite a unit most, in descending order."""
        return self.values[:, unit].argsort(descending=True, stable=True)[:count].tolist()


@torch.no_grad()
def excitation_of(net: nn.Module, batches: Iterable[Tensor]) -> Excitation:
    """The excitation of the units of `net` by normalized images (B, C, H, W), on the CPU.

    Raises:
        NoMap: `net` has no feature map.
    """
    values, positions = [], []
    for x in batches:
        recorder = Maps(x, only_last=True)
        with recorder.watching(net):
            net(x)
        if not recorder.maps:
            raise NoMap("net must have a feature map with more than one position, and has none")
        (maps,) = recorder.maps.values()
        largest, index = maps.flatten(2).float().max(2)
        values.append(largest.cpu())
        positions.append(torch.stack([index // maps.shape[3], index % maps.shape[3]], dim=2).cpu())
    return Excitation(torch.cat(values), torch.cat(positions))
