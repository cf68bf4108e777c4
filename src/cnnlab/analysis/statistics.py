"""Statistics of a trained network, layer by layer: its weights, and its activations on images."""

from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.analysis.calls import Calls, tensors_in
from cnnlab.analysis.rules import ARRANGING
from cnnlab.analysis.trace import trace

WEIGHT_COLUMNS = ("weight_mean", "weight_std", "weight_largest")
SKIPPED = ARRANGING | {"dropout"}  # these do not change values in evaluation mode


class Activations(Calls):
    """Records the statistics of each function's result."""

    def __init__(self, x: Tensor) -> None:
        super().__init__(x)
        self.records: list[dict[str, Any]] = []

    def seen(self, name: str, inputs: list[Tensor], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.records.append(activation_statistics(next(tensors_in(out))))


def activation_statistics(values: Tensor) -> dict[str, Any]:
    """Statistics of the activations (N, C, ...) of N images.

    `zeros` is the fraction of exact zeros, `dead` the number of channels that are constant over images and positions.
    """
    flat = values.detach().float()
    channels = flat.transpose(0, 1).flatten(1)
    dead = (channels == channels[:, :1]).all(1).sum()
    return {
        "mean": flat.mean().item(),
        "std": flat.std(correction=0).item(),
        "largest": flat.abs().amax().item(),
        "zeros": (flat == 0).float().mean().item(),
        "dead": int(dead),
    }


def weight_statistics(weight: Tensor) -> dict[str, Any]:
    """Statistics of a layer's weights, without biases."""
    values = weight.detach().float()
    return {
        "weight_mean": values.mean().item(),
        "weight_std": values.std(correction=0).item(),
        "weight_largest": values.abs().amax().item(),
    }


def statistics_records(net: nn.Module, images: Tensor) -> list[dict[str, Any]]:
    """One record per row of the trace that changes values, from a forward pass of normalized `images` (N, C, H, W).

    The weights are those of the module with the row's name.

    Raises:
        ValueError: `net` cannot be traced.
    """
    rows = trace(net, images.shape[1], (images.shape[2], images.shape[3])).rows
    training = net.training
    recorder = Activations(images)
    with torch.no_grad(), recorder.watching(net.eval()):
        net(images)
    net.train(training)
    modules = dict(net.named_modules())
    records = []
    for row, activations in zip(rows, recorder.records, strict=True):
        if row.kind in SKIPPED:
            continue
        weight = getattr(modules.get(row.name), "weight", None)
        weights = weight_statistics(weight) if isinstance(weight, Tensor) else dict.fromkeys(WEIGHT_COLUMNS)
        records.append({"name": row.name, "kind": row.kind} | weights | activations)
    return records
