"""Where a step's time goes, layer by layer, forward and backward.

A function of the network is timed as it is called; its gradient as the nodes that it adds to the graph are run, which
on a processor is one after the other.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.optim import Optimizer

from cnnlab.analysis.calls import Calls, tensors_in
from cnnlab.analysis.rules import effect_of
from cnnlab.benchmarks.results import Row
from cnnlab.data.datamodule import IndexedBatch
from cnnlab.machine.setup import Machine
from cnnlab.training.classifier import ImageClassifier


@dataclass
class Layer:
    """One module's share of a step, or one function's outside of the smallest modules.

    Attributes:
        operations: of convolutions and matrix products, forward and backward.
        forward, backward: seconds, an entry a step.
    """

    kind: str
    operations: int = 0
    forward: list[float] = field(default_factory=list)
    backward: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return median(self.forward) + median(self.backward)


class Watches(Calls):
    """Times the calls of one step, and the gradients that follow it."""

    def __init__(self, net: nn.Module, x: Tensor) -> None:
        super().__init__(x)
        self.forward: dict[str, float] = defaultdict(float)
        self.backward: dict[str, float] = defaultdict(float)
        self.operations: dict[str, int] = defaultdict(int)
        self.kinds: dict[str, str] = {}
        self._leaves = {name for name, module in net.named_modules() if not any(module.children())}
        self._known: set[Node] = set()
        self._seconds = 0.0
        self._is_cuda = x.is_cuda

    def now(self) -> float:
        if self._is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter()

    def add(self, key: str, kind: str, seconds: float) -> None:
        """A part of the step that is no function of the network."""
        self.kinds[key] = kind
        self.forward[key] += seconds

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        began = self.now()
        out = function(*args, **kwargs)
        self._seconds = self.now() - began
        return out

    def seen(self, name: str, inputs: list[Tensor], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        path = self.stack[-1] if self.stack else ""
        key = path if path in self._leaves else f"{path}.{name}".lstrip(".")
        first = next(tensors_in(out))
        effect = effect_of(name, first, args, kwargs)
        self.kinds.setdefault(key, effect.kind)
        self.forward[key] += self._seconds
        given = [tensor for tensor in tensors_in((args, kwargs)) if tensor.ndim > 1]  # a bias costs no product
        weights = [tensor for tensor in given if all(tensor is not known for known in inputs)]
        passes = 1 + sum(any(tensor.requires_grad for tensor in some) for some in (weights, inputs))
        self.operations[key] += 2 * effect.macs * passes
        for tensor in tensors_in(out):
            self._watch(tensor.grad_fn, key)

    def _watch(self, node: Node | None, key: str) -> None:
        """The nodes that this call added to the graph are this layer's."""
        left = [node]
        while left:
            node = left.pop()
            if node is None or node in self._known or not node.next_functions:  # the last is a weight's own
                continue
            self._known.add(node)
            self._time(node, key)
            left += [before for before, _ in node.next_functions]

    def _time(self, node: Node, key: str) -> None:
        began = 0.0

        def start(gradients: Any) -> None:
            nonlocal began
            began = self.now()

        def stop(inputs: Any, outputs: Any) -> None:
            self.backward[key] += self.now() - began

        node.register_prehook(start)
        node.register_hook(stop)


def layer_rows(
    model: ImageClassifier, machine: Machine, batch: IndexedBatch, rounds: int, rates: Mapping[str, float]
) -> list[Row]:
    """The parts of `model`'s step on one batch in their order; medians of `rounds` steps, after one that warms up.

    Args:
        rates: operations a second of matrix products by the name of their type.
    """
    images, labels, indices = (tensor.to(machine.device) for tensor in batch)
    model.to(machine.device).train()
    optimizer = model.new_optimizer()
    layers: dict[str, Layer] = {}
    for i in range(1 + rounds):
        watches = _step(model, machine, optimizer, (images, labels, indices))
        for name, kind in watches.kinds.items() if i else ():
            layer = layers.setdefault(name, Layer(kind, watches.operations[name]))
            layer.forward.append(watches.forward[name])
            layer.backward.append(watches.backward[name])
    rate = rates["bf16" if machine.precision == "bf16-mixed" and "bf16" in rates else "float32"]
    total = sum(layer.seconds for layer in layers.values())
    return [_row(name, layer, rate, total) for name, layer in layers.items()]


def _step(model: ImageClassifier, machine: Machine, optimizer: Optimizer, batch: IndexedBatch) -> Watches:
    """One step, with what it took."""
    optimizer.zero_grad()
    began = time.perf_counter()
    x, targets = model.augmented(batch, 0)
    watches = Watches(model.net, x)
    watches.add("augmentation", "whole batch", watches.now() - began)
    with machine.autocast(), watches.watching(model.net):
        loss = model.logits_and_loss(x, targets)[1]
    loss.backward()
    began = watches.now()
    optimizer.step()
    watches.add("optimizer", type(optimizer).__name__, watches.now() - began)
    return watches


def _row(name: str, layer: Layer, rate: float, total: float) -> Row:
    achieved = layer.operations / layer.seconds if layer.operations else None
    return {
        "layer": name,
        "kind": layer.kind,
        "forward, ms": 1000 * median(layer.forward),
        "backward, ms": 1000 * median(layer.backward),
        "GFLOP/s": achieved and achieved / 1e9,
        "fraction": achieved and 100 * achieved / rate,
        "of the step, %": round(100 * layer.seconds / total, 1),
    }
