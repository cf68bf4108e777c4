"""The trace of a network: one forward pass of one image, with one row per function and tensor operation.

The pass runs on the meta device in evaluation mode, so it takes no memory and little time, whatever the network.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from cnnlab.analysis.calls import Calls, shadow, tensors_in
from cnnlab.analysis.cost import count_parameters
from cnnlab.analysis.field import Field, union
from cnnlab.analysis.rules import Effect, effect_of


@dataclass(frozen=True)
class Row:
    """One function call of a network, for one image.

    Attributes:
        name: name of the calling module, followed by the function's name if the module calls more than one.
        kind: label such as `conv 3x3/2`: the kernel, and the stride if it is not 1.
        shape: shape of the result, without the batch.
        weights, biases: trainable parameters used here and in no earlier row.
        macs: multiply-accumulates of convolutions and matrix products.
        operations: comparisons, additions and multiplications of pooling and normalization.
        multiplications: the multiplications among `macs` or `operations`.
        values: numbers that the result allocates; 0 for a view or an in-place operation.
        depth: convolutions and fully connected layers on the longest path to here, without gates of one number per
            channel.
        field: receptive field of a unit; None for the whole image.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    weights: int
    biases: int
    macs: int
    operations: int
    multiplications: int
    values: int
    depth: int
    field: Field | None

    @property
    def is_map(self) -> bool:
        """Whether the result is a feature map with more than one position."""
        return len(self.shape) == 3 and self.shape[1] * self.shape[2] > 1


@dataclass(frozen=True)
class Trace:
    """The rows of one network.

    Attributes:
        shape: shape of the input, without the batch.
        parameters: all trainable parameters, including those that evaluation does not use, such as auxiliary heads.
    """

    shape: tuple[int, ...]
    rows: tuple[Row, ...]
    parameters: int

    def total(self, column: str) -> int:
        """The sum of a numeric attribute over the rows."""
        return sum(getattr(row, column) for row in self.rows)

    @property
    def unused(self) -> int:
        """Number of parameters that no row uses."""
        return self.parameters - self.total("weights") - self.total("biases")

    @property
    def depth(self) -> int:
        """Convolutions and fully connected layers on the longest path to the output."""
        return self.rows[-1].depth

    @property
    def last_map(self) -> int | None:
        """Index of the last row whose result is a feature map; None if there is none."""
        return max((index for index, row in enumerate(self.rows) if row.is_map), default=None)

    @property
    def field(self) -> Field | None:
        """The receptive field at the last map; None for the whole image."""
        return None if self.last_map is None else self.rows[self.last_map].field


@dataclass(frozen=True)
class State:
    """What the recorder knows about a tensor.

    Attributes:
        positions: number of positions of the map that a flattened tensor contains; 1 before flattening.
    """

    field: Field | None
    depth: int
    positions: int = 1


class Recorder(Calls):
    """Records a row for each function call.

    Attributes:
        sites: for each row, the name of the calling module, the number of that module's call, and the function's name.
    """

    def __init__(self, net: nn.Module, x: Tensor) -> None:
        super().__init__(x)
        self.rows: list[Row] = []
        self.sites: list[tuple[str, int, str]] = []
        self._states = WeakIdKeyDictionary()
        self._states[x] = State(Field(), depth=0)
        self._parameters = {id(p): (name, p.numel()) for name, p in net.named_parameters() if p.requires_grad}
        self._counted: set[int] = set()
        self._made_of = WeakIdKeyDictionary()
        self._leaves = {name for name, module in net.named_modules() if not any(module.children())}

    def weights_seen(self, inputs: list[Tensor], out: Any) -> None:
        for tensor in tensors_in(out):
            self._made_of[tensor] = self._parameters_of(inputs)

    def _parameters_of(self, tensors: list[Tensor]) -> set[int]:
        """The parameters among `tensors`, and those from which others of them were computed."""
        found = {id(tensor) for tensor in tensors} & self._parameters.keys()
        return found.union(*(self._made_of.get(tensor, set()) for tensor in tensors))

    def seen(self, name: str, inputs: list[Tensor], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        path = self.stack[-1] if self.stack else ""
        self.sites.append((path, self.visits.get(path, 0), name))
        results = list(tensors_in(out))
        try:
            effect = effect_of(name, results[0], args, kwargs)
            state = self._state(effect, inputs, results[0])
        except ValueError as error:
            raise ValueError(f"net cannot be traced at {_joined(path, name)}: {error}") from error
        old = {tensor.untyped_storage()._cdata for tensor in inputs}
        values = sum(result.numel() for result in results if result.untyped_storage()._cdata not in old)
        weights, biases = self._count(list(tensors_in((args, kwargs))))
        for result in results:
            self._states[result] = state
        self.rows.append(
            Row("", effect.kind, tuple(results[0].shape[1:]), weights, biases, effect.macs, effect.operations,
                effect.multiplications, values, state.depth, state.field)
        )  # fmt: skip

    def _count(self, tensors: list[Tensor]) -> tuple[int, int]:
        """The weights and the biases that `tensors` use for the first time."""
        new = self._parameters_of(tensors) - self._counted
        self._counted |= new
        counts = [self._parameters[key] for key in new]
        biases = sum(count for name, count in counts if name.endswith("bias"))
        return sum(count for _, count in counts) - biases, biases

    def _state(self, effect: Effect, inputs: list[Tensor], out: Tensor) -> State:
        """The state of the result, from those of its inputs."""
        before: list[State] = [self._states[tensor] for tensor in inputs]
        same_size = [self._states[tensor] for tensor in inputs if tensor.shape[2:] == out.shape[2:]]
        depth = max(state.depth for state in same_size or before) + effect.layer
        field = union(state.field for state in before)
        positions = max(state.positions for state in before)
        if effect.whole or (positions > 1 and effect.layer):
            return State(None, depth)
        if field is not None and effect.windows is not None:
            field = field.through(effect.windows)
        x = inputs[0]
        if x.ndim == out.ndim == 4 and effect.windows is None and not same_size:
            raise ValueError(f"no rule describes a map of {tuple(x.shape[2:])} that becomes {tuple(out.shape[2:])}")
        if x.ndim == 4 and out.ndim < 4:
            positions = x.shape[2] * x.shape[3]
        return State(field, depth, positions)

    def named_rows(self) -> tuple[Row, ...]:
        """The rows with unique names, such as `conv1`, or `add` and `add_2` for two additions in one module."""
        calls = Counter(site[:2] for site in self.sites)
        used: Counter[str] = Counter()
        rows = []
        for (path, visit, function), row in zip(self.sites, self.rows, strict=True):
            is_alone = path in self._leaves and calls[path, visit] == 1
            name = path if path and is_alone else _joined(path, function)
            used[name] += 1
            rows.append(replace(row, name=name if used[name] == 1 else f"{name}_{used[name]}"))
        return tuple(rows)


def _joined(path: str, function: str) -> str:
    return f"{path}.{function}" if path else function


def trace(net: nn.Module, in_channels: int, image_size: int | tuple[int, int]) -> Trace:
    """Trace `net` for one image with `in_channels` channels; `image_size` is its side, or its height and width.

    Raises:
        ValueError: `net` does not accept such an image, or applies a function to a map that has no rule.
    """
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    copied = shadow(net)
    x = torch.empty(1, in_channels, height, width, device="meta")
    recorder = Recorder(copied, x)
    with torch.no_grad(), recorder.watching(copied):
        try:
            copied(x)
        except RuntimeError as error:
            raise ValueError(f"net must accept an image of {in_channels} x {height} x {width}: {error}") from error
    return Trace((in_channels, height, width), recorder.named_rows(), count_parameters(net))
