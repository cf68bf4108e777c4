"""Whether a map shows what matters to the network: deletion of pixels, beside two maps that cannot know it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

POINTS = 21  # of a deletion curve, from 0 to all pixels
SHIFTS = 8  # random positions of the map
BATCH = 256  # images in a forward pass


@dataclass(frozen=True)
class Check:
    """Deletion curves of one image: the probability of the class while the pixels with the largest values disappear.

    Attributes:
        of_map: (POINTS,), for the order of the map.
        of_shifted: the mean for the same map at random positions, so with the same values, as smooth, in other places.
        of_random_network: for the map of the same network with random weights.
        similarity: rank correlation of the map and that of the random network; None if one is constant. A map that does
            not depend on the weights says nothing about what was learned (Adebayo et al., "Sanity Checks for Saliency
            Maps", NeurIPS 2018).
    """

    of_map: Tensor
    of_shifted: Tensor
    of_random_network: Tensor
    similarity: float | None


def check_map(
    net: nn.Module, image: Tensor, label: int, values: Tensor, random_values: Tensor, baseline: Tensor
) -> Check:
    """Compare the deletion curve of a map with those of a shifted and of a random network's map.

    Args:
        net: in evaluation mode.
        image: (C, H, W), normalized.
        label: the class that the map explains.
        values: (H, W), the map.
        random_values: (H, W), the map of the same network with random weights.
        baseline: (C, H, W), what takes the place of deleted pixels.
    """
    random = torch.Generator().manual_seed(0)
    height, width = values.shape
    shifts = [(int(torch.randint(height, (), generator=random)), int(torch.randint(width, (), generator=random)))
              for _ in range(SHIFTS)]  # fmt: skip
    shifted = [values.roll(shift, (0, 1)) for shift in shifts]
    curves = deletion_curves(net, image, label, torch.stack([values, random_values, *shifted]), baseline)
    return Check(curves[0], curves[2:].mean(0), curves[1], rank_correlation(values, random_values))


@torch.no_grad()
def deletion_curves(net: nn.Module, image: Tensor, label: int, maps: Tensor, baseline: Tensor) -> Tensor:
    """The probability of a class after each step of the deletion, (M, POINTS) on the CPU.

    The pixels with the largest values go first; equal values in random order.
    Petsiuk, Das and Saenko, "RISE", BMVC 2018, section 4.2.

    Args:
        net, image, label, baseline: as in `check_map`.
        maps: (M, H, W).
    """
    pixels = maps[0].numel()
    shuffled = torch.randperm(pixels, generator=torch.Generator().manual_seed(0)).to(maps.device)
    order = shuffled[maps.flatten(1)[:, shuffled].argsort(dim=1, descending=True, stable=True)]
    place = order.argsort(dim=1).view(len(maps), 1, 1, *maps.shape[1:])
    counts = (torch.linspace(0, 1, POINTS) * pixels).round().to(maps.device)
    is_deleted = (place < counts.view(1, -1, 1, 1, 1)).flatten(0, 1)
    probabilities = [
        net(torch.where(part, baseline.to(image), image)).softmax(1)[:, label] for part in is_deleted.split(BATCH)
    ]
    return torch.cat(probabilities).view(len(maps), POINTS).cpu()


def area_under(curve: Tensor) -> float:
    """The mean height of a deletion curve; the smaller, the better does the map show what matters."""
    return torch.trapezoid(curve.double(), dx=1 / (len(curve) - 1)).item()


def rank_correlation(first: Tensor, second: Tensor) -> float | None:
    """Spearman's rank correlation of two maps; None if one is constant."""
    if any(bool(values.min() == values.max()) for values in (first, second)):
        return None
    from scipy.stats import spearmanr

    return float(spearmanr(first.flatten().cpu(), second.flatten().cpu()).statistic)
