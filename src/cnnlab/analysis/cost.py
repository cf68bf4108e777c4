"""What a network costs: parameters, multiply-accumulates, and the memory of a training step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cnnlab.analysis.calls import shadow
from cnnlab.errors import one_of

ACTIVATION_BYTES = {"32-true": 4, "bf16-mixed": 2, "16-mixed": 2}
WEIGHT_BYTES = 4  # mixed precision stores weights, gradients and the optimizer's state in 32 bits


def count_parameters(net: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def count_macs(net: nn.Module, in_channels: int, image_size: int) -> int:
    """Multiply-accumulates of convolutions and matrix products for one image, from a pass on the meta device.

    Counted by PyTorch, so that networks with functions that have no rule in `rules` can be trained too.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shadow(net)(torch.empty(1, in_channels, image_size, image_size, device="meta"))
    return counter.get_total_flops() // 2


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes at the end of the forward pass, when a step needs most; without temporary buffers and the input."""

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations


def training_memory(
    net: nn.Module, in_channels: int, image_size: int, batch_size: int, precision: str, states: int
) -> TrainingMemory:
    """Memory of a training step.

    Args:
        precision: Lightning's name; mixed precision halves the activations and adds a 16-bit copy of the weights.
        states: numbers per weight in the optimizer's state: 2 for Adam, 1 for SGD with momentum; see `states_of`.

    Raises:
        ValueError: `precision` is not in ACTIVATION_BYTES.
    """
    one_of("precision", precision, ACTIVATION_BYTES, ValueError)
    size = ACTIVATION_BYTES[precision]
    parameters = count_parameters(net)
    copies = WEIGHT_BYTES if size == WEIGHT_BYTES else WEIGHT_BYTES + size
    return TrainingMemory(
        weights=copies * parameters,
        gradients=WEIGHT_BYTES * parameters,
        optimizer=states * WEIGHT_BYTES * parameters,
        activations=_saved_bytes(net, in_channels, image_size, batch_size, size),
    )


def _saved_bytes(net: nn.Module, in_channels: int, image_size: int, batch_size: int, size: int) -> int:
    """Bytes that a forward pass saves for the backward pass, without weights, at `size` bytes per float.

    A storage that several operations save, or save views of, counts once.
    """
    copied = shadow(net).train()
    x = torch.empty(batch_size, in_channels, image_size, image_size, device="meta")
    excluded = {tensor.untyped_storage()._cdata for tensor in (*copied.parameters(), *copied.buffers(), x)}
    saved: dict[int, int] = {}

    def save(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in excluded:
            scale = size / tensor.element_size() if tensor.is_floating_point() else 1
            saved[storage._cdata] = round(storage.nbytes() * scale)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        out = copied(x)
    del out
    return sum(saved.values())


def states_of(optimizer: Callable[[list[nn.Parameter]], Any]) -> int:
    """Numbers per weight in an optimizer's state, found by one step on a small parameter."""
    parameter = nn.Parameter(torch.zeros(2, 2))
    parameter.grad = torch.ones_like(parameter)
    built = optimizer([parameter])
    built.step()
    state = built.state[parameter].values()
    return sum(isinstance(value, Tensor) and value.shape == parameter.shape for value in state)
