"""One row per layer as textbooks count them: the image, and each convolution, pooling and fully connected layer."""

from itertools import zip_longest
from typing import Any

from cnnlab.analysis.trace import Row, Trace
from cnnlab.analysis.trace_records import FLOAT_BYTES


def layers_of(trace: Trace) -> list[Row]:
    """The rows with weights in a matrix or a kernel, and the poolings; activations and norms belong to their layer."""
    return [row for row in trace.rows if row.kind.startswith(("conv", "linear")) or "pool" in row.kind]


def layer_records(trace: Trace) -> list[dict[str, Any]]:
    """The size of each layer's result in numbers, rounded and exact, and in bytes; its weights without biases."""
    channels, height, width = trace.shape
    rows = [("input", "image", trace.shape, channels * height * width, 0)]
    for row in layers_of(trace):
        rows.append((row.name, row.kind, row.shape, row.values, row.weights))
    return [
        {
            "layer": name,
            "kind": kind,
            "output": "x".join(map(str, shape)),
            "size": in_words(values),
            "numbers": values,
            "memory": FLOAT_BYTES * values,
            "weights": weights,
        }
        for name, kind, shape, values, weights in rows
    ]


def beside(first: tuple[str, Trace], second: tuple[str, Trace]) -> list[dict[str, Any]]:
    """The layers of two networks side by side, by their order."""
    pairs = zip_longest(*(layer_records(trace) for _, trace in (first, second)))
    return [
        {
            f"{name}{suffix}": "" if record is None else record[key]
            for (name, _), record in zip((first, second), pair, strict=True)
            for suffix, key in (("", "kind"), (": output", "output"), (": weights", "weights"))
        }
        for pair in pairs
    ]


def in_words(count: int) -> str:
    """A number as lecture notes write it: 151k, 3.2M."""
    return f"{count / 1e6:.1f}M" if count >= 1e6 else f"{count / 1e3:.0f}k" if count >= 1e4 else str(count)
