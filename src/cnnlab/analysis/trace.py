"""A network taken apart: one pass of one image without values, each function and tensor operation a row.

The pass runs on the meta device, in evaluation mode, so it takes no memory and hardly any time, whatever the network.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from cnnlab.analysis.calls import Calls, shadow, tensors_in
from cnnlab.analysis.field import Field, union
from cnnlab.analysis.rules import Effect, effect_of
from cnnlab.errors import UserError


@dataclass(frozen=True)
class Row:
    """One function of a network, for one image.

    Attributes:
        name: of the module that calls it, with the function's name where the module does more.
        kind: such as `conv 3x3/2`: the kernel, and the stride where it is not 1.
        shape: of the result, without the batch.
        weights, biases: that are trained, and that no row before has used.
        macs: multiply-accumulates of convolutions and matrix products.
        operations: comparisons, additions and multiplications of pooling and normalization.
        multiplications: those in `macs` or `operations`.
        values: numbers that the result takes anew; 0 for a view, or what is changed in place.
        depth: convolutions and fully connected layers on the longest way here; gates of single numbers apart.
        field: which pixels a unit sees; None for the whole image.
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
        """Whether it has more than one place in the picture."""
        return len(self.shape) == 3 and self.shape[1] * self.shape[2] > 1


@dataclass(frozen=True)
class Trace:
    """The rows of one network.

    Attributes:
        shape: of the input, without the batch.
        parameters: all that are trained, also those that evaluation does not use, such as auxiliary heads.
    """

    shape: tuple[int, ...]
    rows: tuple[Row, ...]
    parameters: int

    def total(self, column: str) -> int:
        """The sum of a numeric attribute of the rows."""
        return sum(getattr(row, column) for row in self.rows)

    @property
    def unused(self) -> int:
        """Parameters that no row uses."""
        return self.parameters - self.total("weights") - self.total("biases")

    @property
    def depth(self) -> int:
        """Convolutions and fully connected layers on the longest way to the result."""
        return self.rows[-1].depth

    @property
    def last_map(self) -> int | None:
        """The last row before the network leaves the picture's two axes, or sees all of it at once; None for none."""
        maps = [index for index, row in enumerate(self.rows) if row.is_map]
        return maps[-1] if maps else None

    @property
    def field(self) -> Field | None:
        """The receptive field at the last map; None for the whole image."""
        return None if self.last_map is None else self.rows[self.last_map].field


@dataclass(frozen=True)
class State:
    """What is known of a tensor of the pass.

    Attributes:
        places: how many places of a map lie side by side in one axis; 1 before it is flattened.
    """

    field: Field | None
    depth: int
    places: int = 1


@dataclass(frozen=True)
class Place:
    """Where a call stands: a module, which of its calls, and the function."""

    path: str
    visit: int
    function: str
    leaf: bool


class Recorder(Calls):
    """Makes a row of each call."""

    def __init__(self, net: nn.Module, x: Tensor) -> None:
        super().__init__(x)
        self.rows: list[Row] = []
        self.places: list[Place] = []
        self._states = WeakIdKeyDictionary()
        self._states[x] = State(Field(), depth=0)
        self._parameters = {id(p): (name, p.numel()) for name, p in net.named_parameters() if p.requires_grad}
        self._counted: set[int] = set()
        self._made_of = WeakIdKeyDictionary()
        self._leaves = {name for name, module in net.named_modules() if not any(module.children())}

    def weights_seen(self, inputs: list[Tensor], out: Any) -> None:
        for tensor in tensors_in(out):
            self._made_of[tensor] = self._parameters_of(inputs)

    def _parameters_of(self, given: list[Tensor]) -> set[int]:
        """The parameters among `given`, and those that others of `given` were made of."""
        found = {id(tensor) for tensor in given} & self._parameters.keys()
        return found.union(*(self._made_of.get(tensor, set()) for tensor in given))

    def seen(self, name: str, inputs: list[Tensor], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        path = self.stack[-1] if self.stack else ""
        self.places.append(Place(path, self.visits.get(path, 0), name, path in self._leaves))
        results = list(tensors_in(out))
        try:
            effect = effect_of(name, results[0], args, kwargs)
            state = self._state(effect, inputs, results[0])
        except ValueError as error:
            raise UserError(f"{'.'.join(part for part in (path, name) if part)}: {error}") from error
        old = {tensor.untyped_storage()._cdata for tensor in inputs}
        values = sum(result.numel() for result in results if result.untyped_storage()._cdata not in old)
        weights, biases = self._count(list(tensors_in((args, kwargs))))
        for result in results:
            self._states[result] = state
        self.rows.append(
            Row("", effect.kind, tuple(results[0].shape[1:]), weights, biases, effect.macs, effect.operations,
                effect.multiplications, values, state.depth, state.field)
        )  # fmt: skip

    def _count(self, given: list[Tensor]) -> tuple[int, int]:
        new = self._parameters_of(given) - self._counted
        self._counted |= new
        counts = [self._parameters[key] for key in new]
        biases = sum(count for name, count in counts if name.endswith("bias"))
        return sum(count for _, count in counts) - biases, biases

    def _state(self, effect: Effect, inputs: list[Tensor], out: Tensor) -> State:
        """The result's state from its inputs'."""
        before: list[State] = [self._states[tensor] for tensor in inputs]
        same_size = [self._states[tensor] for tensor in inputs if tensor.shape[2:] == out.shape[2:]]
        depth = max(state.depth for state in same_size or before) + effect.layer
        field = union(state.field for state in before)
        places = max(state.places for state in before)
        if effect.whole or (places > 1 and effect.layer):
            return State(None, depth)
        if field is not None and effect.windows is not None:
            field = field.through(effect.windows)
        x = inputs[0]
        if x.ndim == out.ndim == 4 and effect.windows is None and not same_size:
            raise ValueError(f"a map of {tuple(x.shape[2:])} becomes one of {tuple(out.shape[2:])} without a rule")
        if x.ndim == 4 and out.ndim < 4:
            places = x.shape[2] * x.shape[3]
        return State(field, depth, places)

    def named_rows(self) -> tuple[Row, ...]:
        """The rows with their names: `conv1`, or `add`, and `add_2` for the second of a module."""
        calls: dict[tuple[str, int], int] = {}
        for place in self.places:
            calls[place.path, place.visit] = calls.get((place.path, place.visit), 0) + 1
        taken: dict[str, int] = {}
        rows = []
        for place, row in zip(self.places, self.rows, strict=True):
            alone = place.path and place.leaf and calls[place.path, place.visit] == 1
            name = place.path if alone else ".".join(part for part in (place.path, place.function) if part)
            taken[name] = taken.get(name, 0) + 1
            rows.append(replace(row, name=name if taken[name] == 1 else f"{name}_{taken[name]}"))
        return tuple(rows)


def trace(net: nn.Module, in_channels: int, image_size: int | tuple[int, int]) -> Trace:
    """Take `net` apart for one image of `in_channels` channels; `image_size` is its side, or its height and width.

    Raises:
        UserError: it does something to a map that there is no rule for, or does not take such an image.
    """
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    ghost = shadow(net)
    x = torch.empty(1, in_channels, height, width, device="meta")
    recorder = Recorder(ghost, x)
    with torch.no_grad(), recorder.watching(ghost):
        try:
            ghost(x)
        except RuntimeError as error:
            raise UserError(
                f"the network does not take an image of {in_channels} x {height} x {width}: {error}"
            ) from error
    parameters = sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)
    return Trace((in_channels, height, width), recorder.named_rows(), parameters)
