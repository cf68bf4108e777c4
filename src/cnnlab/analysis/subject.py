"""A network under analysis, and its totals."""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from torch import nn

from cnnlab.analysis.cost import TrainingMemory
from cnnlab.analysis.measured_field import measured_field
from cnnlab.analysis.trace import Trace, trace
from cnnlab.analysis.trace_records import FLOAT_BYTES, size_of
from cnnlab.image_spec import ImageSpec
from cnnlab.rendering.numbers import memory_text


@dataclass(frozen=True)
class Subject:
    """A network, and the images that it is built for.

    Attributes:
        source: where the images' shape and classes come from, in words.
    """

    name: str
    net: nn.Module
    images: ImageSpec
    source: str

    @cached_property
    def trace(self) -> Trace:
        """One recorded pass without values."""
        return trace(self.net, self.images.in_channels, self.images.image_size)

    def lines(self, memory: TrainingMemory, setting: str, measure: bool) -> list[tuple[str, str]]:
        """Names and values of the network's totals.

        Args:
            memory: what training takes.
            setting: batch size, precision and optimizer for which it does.
            measure: whether to compare the receptive field with one measured from gradients.
        """
        taken = self.trace
        unused = f", of which evaluation does not use {taken.unused:,}" if taken.unused else ""
        return [
            ("network", self.name),
            ("input", f"{self.images}, {self.images.num_classes:,} classes ({self.source})"),
            ("parameters", f"{taken.parameters:,}{unused}"),
            ("multiply-accumulates", f"{taken.total('macs'):,} per image"),
            ("layers", f"{taken.depth} on the longest path, counting convolutions and fully connected layers"),
            ("receptive field", self._field_text(measure)),
            ("training memory", f"{memory_text(memory.total)} with {setting}:"),
            ("", ", ".join(f"{part} {memory_text(size)}" for part, size in asdict(memory).items())),
        ]

    def _field_text(self, measure: bool) -> str:
        taken = self.trace
        if taken.last_map is None:
            return "the whole image, as there is no feature map"
        size = size_of(taken.field)
        text = f"{size}{' pixels' if isinstance(size, int) else ''} at {taken.rows[taken.last_map].name}"
        if not measure:
            return text
        measured = measured_field(self.net, taken)
        if measured == taken.field:
            return f"{text}, and the same measured from gradients"
        return f"{text}, but measured from gradients {size_of(measured)}"

    def facts(self, memory: TrainingMemory) -> dict[str, Any]:
        """The totals as plain values, for JSON."""
        taken = self.trace
        return {
            "network": self.name,
            **self.images.network_arguments,
            "parameters": taken.parameters,
            "unused_parameters": taken.unused,
            "depth": taken.depth,
            "field": size_of(taken.field),
            "training_memory": asdict(memory),
        }

    def summary(self, memory: TrainingMemory) -> dict[str, Any]:
        """The network's row in a comparison of several."""
        taken = self.trace
        return {
            "network": self.name,
            "input": "x".join(map(str, taken.shape)),
            "classes": self.images.num_classes,
            "layers": taken.depth,
            "parameters": taken.parameters - taken.unused,
            "unused_parameters": taken.unused,
            "macs": taken.total("macs"),
            "operations": taken.total("operations"),
            "activations": FLOAT_BYTES * taken.total("values"),
            "field": size_of(taken.field),
            "training_memory": memory.total,
        }
