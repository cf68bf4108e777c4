"""A network under analysis, and its totals."""

from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from cnnlab.analysis.cost import TrainingMemory
from cnnlab.analysis.measured_field import measured_field
from cnnlab.analysis.trace import Trace
from cnnlab.analysis.trace_records import FLOAT_BYTES, size_of
from cnnlab.image_spec import ImageSpec
from cnnlab.rendering.numbers import memory_text


@dataclass(frozen=True)
class Subject:
    """A network, its trace, and the images that it is built for.

    Attributes:
        source: where the images' shape and number of classes come from, in words.
    """

    name: str
    net: nn.Module
    images: ImageSpec
    source: str
    trace: Trace

    def lines(self, memory: TrainingMemory, setting: str, measure: bool) -> list[tuple[str, str]]:
        """Labels and values of the network's totals.

        Args:
            memory: memory of a training step.
            setting: batch size, precision and optimizer of that step.
            measure: whether to compare the receptive field with one measured from gradients.

        Raises:
            ValueError: the receptive field cannot be measured.
        """
        unused = f" ({self.trace.unused:,} not used in evaluation)" if self.trace.unused else ""
        return [
            ("network", self.name),
            ("input", f"{self.images}, {self.images.num_classes:,} classes ({self.source})"),
            ("parameters", f"{self.trace.parameters:,}{unused}"),
            ("multiply-accumulates", f"{self.trace.total('macs'):,} per image"),
            ("layers", f"{self.trace.depth} on the longest path, counting convolutions and fully connected layers"),
            ("receptive field", self._field_text(measure)),
            ("training memory", f"{memory_text(memory.total)} with {setting}:"),
            ("", ", ".join(f"{part} {memory_text(size)}" for part, size in asdict(memory).items())),
        ]

    def _field_text(self, measure: bool) -> str:
        if self.trace.last_map is None:
            return "the whole image, as there is no feature map"
        size = size_of(self.trace.field)
        text = f"{size}{' pixels' if isinstance(size, int) else ''} at {self.trace.rows[self.trace.last_map].name}"
        if not measure:
            return text
        measured = measured_field(self.net, self.trace)
        if measured == self.trace.field:
            return f"{text}, and the same measured from gradients"
        return f"{text}, but {size_of(measured)} measured from gradients"

    def facts(self, memory: TrainingMemory) -> dict[str, Any]:
        """The totals as plain values, for JSON."""
        return {
            "network": self.name,
            **self.images.network_arguments,
            "parameters": self.trace.parameters,
            "unused_parameters": self.trace.unused,
            "depth": self.trace.depth,
            "field": size_of(self.trace.field),
            "training_memory": asdict(memory),
        }

    def summary(self, memory: TrainingMemory) -> dict[str, Any]:
        """The network's row in a comparison of several."""
        return {
            "network": self.name,
            "input": "x".join(map(str, self.trace.shape)),
            "classes": self.images.num_classes,
            "layers": self.trace.depth,
            "parameters": self.trace.parameters - self.trace.unused,
            "unused_parameters": self.trace.unused,
            "macs": self.trace.total("macs"),
            "operations": self.trace.total("operations"),
            "activations": FLOAT_BYTES * self.trace.total("values"),
            "field": size_of(self.trace.field),
            "training_memory": memory.total,
        }
