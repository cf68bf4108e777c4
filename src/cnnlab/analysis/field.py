"""Which pixels a unit sees: the arithmetic of windows on one axis of the picture, and on both.

After Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks", Distill, 2019.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """What one unit of a layer reads of the layer before, along one axis."""

    size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


@dataclass(frozen=True)
class Axis:
    """Unit i of a map sees the pixels from `first + i * jump` to `last + i * jump`, borders ignored.

    A picture's own pixels are units that see themselves. Pixels outside of the picture have numbers too: below 0, or
    from its size upward.
    """

    first: int = 0
    last: int = 0
    jump: int = 1

    @property
    def size(self) -> int:
        """The receptive field's width in pixels."""
        return self.last - self.first + 1

    @property
    def start(self) -> float:
        """The middle of the first unit's field, in pixels from the picture's edge; a pixel's own middle is 0.5."""
        return (self.first + self.last + 1) / 2

    def through(self, window: Window) -> "Axis":
        """What units see that read units of this axis through `window`."""
        first = self.first - window.padding * self.jump
        reach = (window.size - 1) * window.dilation * self.jump
        return Axis(first, first + (self.last - self.first) + reach, self.jump * window.stride)


@dataclass(frozen=True)
class Field:
    """The receptive field of a map's units; in code that holds `Field | None`, None stands for the whole image."""

    vertical: Axis = Axis()
    horizontal: Axis = Axis()

    @property
    def axes(self) -> tuple[Axis, Axis]:
        return self.vertical, self.horizontal

    def through(self, windows: Sequence[Window]) -> "Field":
        """Both axes through their window: vertical, horizontal."""
        return Field(*(axis.through(window) for axis, window in zip(self.axes, windows, strict=True)))


def union(fields: Iterable[Field | None]) -> Field | None:
    """What a unit sees that reads one unit of each of several maps.

    Raises:
        ValueError: their units lie at different distances, so that no one field describes the result.
    """
    known = list(fields)
    seen = [field for field in known if field is not None]
    if len(seen) < len(known):
        return None
    if len({(field.vertical.jump, field.horizontal.jump) for field in seen}) > 1:
        raise ValueError("maps are joined whose units lie at different distances in the picture")
    axes = []
    for parts in zip(*(field.axes for field in seen), strict=True):
        axes.append(Axis(min(part.first for part in parts), max(part.last for part in parts), parts[0].jump))
    return Field(*axes)
