"""What a network costs: parameters, multiply-accumulates, and the memory that training it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cnnlab.analysis.calls import shadow
from cnnlab.errors import one_of

ACTIVATION_BYTES = {"32-true": 4, "bf16-mixed": 2, "16-mixed": 2}
WEIGHT_BYTES = 4  # mixed precision keeps them, their gradients and the optimizer's state in 32 bits


def count_parameters(net: nn.Module) -> int:
    """Weights and biases that are trained."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def count_macs(net: nn.Module, in_channels: int, image_size: int) -> int:
    """Multiply-accumulates of convolutions and matrix products for one image, from a pass without values.

    Counted by torch, so that a network can be trained whose functions have no rule in `rules`.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shadow(net)(torch.empty(1, in_channels, image_size, image_size, device="meta"))
    return counter.get_total_flops() // 2


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes at the end of the forward pass, where a step holds most; temporary buffers and the input apart."""

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
    """What a training step holds.

    Args:
        precision: Lightning's name; mixed ones halve the activations and add a copy of the weights in 16 bits.
        states: numbers that the optimizer keeps a weight: 2 for Adam, 1 for SGD with momentum; see `states_of`.
    """
    one_of("precision", precision, ACTIVATION_BYTES)
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
    """Bytes that a forward pass keeps for the backward pass, `size` a floating-point number, weights apart.

    A tensor that several operations keep, or views of, counts once.
    """
    ghost = shadow(net).train()
    x = torch.empty(batch_size, in_channels, image_size, image_size, device="meta")
    own = {tensor.untyped_storage()._cdata for tensor in (*ghost.parameters(), *ghost.buffers(), x)}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            scale = size / tensor.element_size() if tensor.is_floating_point() else 1
            kept[storage._cdata] = round(storage.nbytes() * scale)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = ghost(x)
    del out
    return sum(kept.values())


def states_of(optimizer: Callable[[list[nn.Parameter]], Any]) -> int:
    """How many numbers an optimizer keeps a weight, found by one step on a small one."""
    parameter = nn.Parameter(torch.zeros(2, 2))
    parameter.grad = torch.ones_like(parameter)
    made = optimizer([parameter])
    made.step()
    state = made.state[parameter].values()
    return sum(isinstance(value, Tensor) and value.shape == parameter.shape for value in state)
