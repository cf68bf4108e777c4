"""Receptive fields: the arithmetic of windows along one axis of the image, and along both.

Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks", Distill, 2019.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """The inputs that one unit of a layer reads along one axis."""

    size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


@dataclass(frozen=True)
class Axis:
    """Unit i of a map sees the pixels from `first + i * jump` to `last + i * jump`, ignoring borders.

    The default is the image itself, whose units see their own pixel. Pixels outside the image also have indices: below
    0, or from the image's size upward.
    """

    first: int = 0
    last: int = 0
    jump: int = 1

    @property
    def size(self) -> int:
        """Width of the receptive field in pixels."""
        return self.last - self.first + 1

    @property
    def start(self) -> float:
        """Center of the first unit's field, in pixels from the image's edge; the center of the first pixel is 0.5."""
        return (self.first + self.last + 1) / 2

    def through(self, window: Window) -> "Axis":
        """The axis of units that read this one through `window`."""
        first = self.first - window.padding * self.jump
        reach = (window.size - 1) * window.dilation * self.jump
        return Axis(first, first + (self.last - self.first) + reach, self.jump * window.stride)


@dataclass(frozen=True)
class Field:
    """The receptive field of a map's units. Where a field may be None, None stands for the whole image."""

    vertical: Axis = Axis()
    horizontal: Axis = Axis()

    @property
    def axes(self) -> tuple[Axis, Axis]:
        return self.vertical, self.horizontal

    def through(self, windows: Sequence[Window]) -> "Field":
        """The field of units that read this map through a vertical and a horizontal window."""
        return Field(*(axis.through(window) for axis, window in zip(self.axes, windows, strict=True)))


def union(fields: Iterable[Field | None]) -> Field | None:
    """The field of a unit that reads one unit of each of several maps.

    Raises:
        ValueError: the maps have different jumps, so that no single field describes the result.
    """
    known = list(fields)
    finite = [field for field in known if field is not None]
    if len(finite) < len(known):
        return None
    jumps = sorted({(field.vertical.jump, field.horizontal.jump) for field in finite})
    if len(jumps) > 1:
        raise ValueError(f"fields must have the same jump, got {' and '.join(map(str, jumps))}")
    return Field(
        *(
            Axis(min(part.first for part in parts), max(part.last for part in parts), parts[0].jump)
            for parts in zip(*(field.axes for field in finite), strict=True)
        )
    )
