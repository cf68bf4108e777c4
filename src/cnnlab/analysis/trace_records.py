"""The rows of a trace as records for tables."""

from collections.abc import Sequence
from typing import Any

from cnnlab.analysis.field import Field
from cnnlab.analysis.trace import Row, Trace
from cnnlab.rendering.tables import Record

FLOAT_BYTES = 4
WHOLE = "whole image"
SUMMED = ("weights", "biases", "macs", "operations", "memory")


def size_of(field: Field | None) -> int | str:
    """The side of a receptive field in pixels, or `7x9` if height and width differ."""
    return WHOLE if field is None else _both(field, "size")


def _both(field: Field, name: str) -> Any:
    vertical, horizontal = (getattr(axis, name) for axis in field.axes)
    return vertical if vertical == horizontal else f"{vertical}x{horizontal}"


def record_of(row: Row) -> dict[str, Any]:
    """A row of a trace as plain values; `memory` is the size of the result in bytes, in float32."""
    return {
        "name": row.name,
        "kind": row.kind,
        "output": "x".join(map(str, row.shape)),
        "weights": row.weights,
        "biases": row.biases,
        "macs": row.macs,
        "operations": row.operations,
        "memory": FLOAT_BYTES * row.values,
        "field": size_of(row.field),
        "jump": None if row.field is None else _both(row.field, "jump"),
        "start": None if row.field is None else _both(row.field, "start"),
    }


def records_of(trace: Trace) -> list[dict[str, Any]]:
    return [record_of(row) for row in trace.rows]


def total_of(records: Sequence[Record]) -> dict[str, Any]:
    """The total row of `records`."""
    sums = {column: sum(record[column] for record in records) for column in SUMMED}
    return {"name": "total", "kind": f"{len(records)} rows"} | sums
