"""The time of a training step by layer, forward and backward.

The forward time of a layer is that of the functions it calls; its backward time is that of the nodes that these add to
the autograd graph. Backward runs the nodes one after the other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.optim import Optimizer

from cnnlab.analysis.calls import Calls, tensors_in
from cnnlab.analysis.rules import effect_of
from cnnlab.benchmarks.results import Row
from cnnlab.benchmarks.stopwatch import now
from cnnlab.data.datamodule import IndexedBatch
from cnnlab.machine.setup import Machine
from cnnlab.training.classifier import ImageClassifier


@dataclass
class Layer:
    """The part of one step that a leaf module, or a function called outside of them, takes.

    Attributes:
        forward, backward: seconds.
        operations: floating-point operations of convolutions and matrix products, forward and backward.
    """

    kind: str
    forward: float = 0.0
    backward: float = 0.0
    operations: int = 0


class LayerTimer(Calls):
    """Times the function calls of one step's forward pass and the autograd nodes of its backward pass."""

    def __init__(self, net: nn.Module, x: Tensor, layers: dict[str, Layer]) -> None:
        super().__init__(x)
        self.layers = layers
        self._leaves = {name for name, module in net.named_modules() if not any(module.children())}
        self._known: set[Node] = set()
        self._seconds = 0.0

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        start = now()
        out = function(*args, **kwargs)
        self._seconds = now() - start
        return out

    def seen(self, name: str, inputs: list[Tensor], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        path = self.stack[-1] if self.stack else ""
        key = path if path in self._leaves else f"{path}.{name}".lstrip(".")
        first = next(tensors_in(out))
        effect = effect_of(name, first, args, kwargs)
        layer = self.layers.setdefault(key, Layer(effect.kind))
        layer.forward += self._seconds
        matrices = [tensor for tensor in tensors_in((args, kwargs)) if tensor.ndim > 1]  # a bias has no product
        weights = [tensor for tensor in matrices if all(tensor is not known for known in inputs)]
        passes = 1 + sum(any(tensor.requires_grad for tensor in operands) for operands in (weights, inputs))
        layer.operations += 2 * effect.macs * passes
        self._time_backward(layer, [tensor.grad_fn for tensor in tensors_in(out)])

    def _time_backward(self, layer: Layer, nodes: list[Node | None]) -> None:
        """Time the nodes that a call of `layer` has added to the graph, those between its outputs and known nodes."""
        while nodes:
            node = nodes.pop()
            if node is None or node in self._known or not node.next_functions:  # a weight's own node
                continue
            self._known.add(node)
            _time_node(layer, node)
            nodes += [before for before, _ in node.next_functions]


def _time_node(layer: Layer, node: Node) -> None:
    start = 0.0

    def before(gradients: Any) -> None:
        nonlocal start
        start = now()

    def after(inputs: Any, outputs: Any) -> None:
        layer.backward += now() - start

    node.register_prehook(before)
    node.register_hook(after)


def layer_rows(
    model: ImageClassifier, machine: Machine, batch: IndexedBatch, rounds: int, rates: Mapping[str, float]
) -> list[Row]:
    """Rows of `model`'s step on one batch by layer: medians of `rounds` steps after one that warms up.

    Args:
        rates: operations per second of matrix products by the name of their type.
    """
    images, labels, indices = (tensor.to(machine.device) for tensor in batch)
    model.to(machine.device).train()
    optimizer = model.new_optimizer()
    _, *steps = [_step(model, machine, optimizer, (images, labels, indices)) for _ in range(1 + rounds)]
    rate = rates["bf16" if machine.precision == "bf16-mixed" and "bf16" in rates else "float32"]
    rows = [_row(name, [step[name] for step in steps], rate) for name in steps[0]]
    milliseconds = [row["forward, ms"] + row["backward, ms"] for row in rows]
    for row, ms in zip(rows, milliseconds, strict=True):
        row["of the step, %"] = round(100 * ms / sum(milliseconds), 1)
    return rows


def _step(model: ImageClassifier, machine: Machine, optimizer: Optimizer, batch: IndexedBatch) -> dict[str, Layer]:
    """Train on one batch; returns the layers by name, in the order of their first call."""
    optimizer.zero_grad()
    start = now()
    x, targets = model.augmented(batch, 0)
    layers = {"augmentation": Layer("whole batch", now() - start)}
    with machine.autocast(), LayerTimer(model.net, x, layers).watching(model.net):
        loss = model.logits_and_loss(x, targets)[1]
    loss.backward()
    start = now()
    optimizer.step()
    return layers | {"optimizer": Layer(type(optimizer).__name__, now() - start)}


def _row(name: str, steps: Sequence[Layer], rate: float) -> Row:
    """The row of one layer from its times in each step."""
    forward, backward = median(layer.forward for layer in steps), median(layer.backward for layer in steps)
    operations = steps[0].operations
    achieved = operations / (forward + backward) if operations else None
    return {
        "layer": name,
        "kind": steps[0].kind,
        "forward, ms": 1000 * forward,
        "backward, ms": 1000 * backward,
        "GFLOP/s": achieved and achieved / 1e9,
        "fraction": achieved and 100 * achieved / rate,
    }
