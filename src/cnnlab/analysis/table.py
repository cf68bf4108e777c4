"""Traces as tables: aligned text, Markdown, CSV and JSON.

Text and Markdown are for reading: separators between thousands, nothing where there is nothing. CSV and JSON hold plain
numbers.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cnnlab.analysis.geometry import Field
from cnnlab.analysis.trace import Row, Trace
from cnnlab.errors import one_of

FORMATS = ("table", "markdown", "csv", "json")
FLOAT_BYTES = 4
WIDEST = 120  # columns of text, above which large numbers are rounded
WHOLE = "whole image"

Record = Mapping[str, Any]

LABELS = {
    "macs": "MACs",
    "operations": "pool+norm",
    "memory": "memory, KiB",
    "activations": "memory, MiB",
    "training_memory": "training, GiB",
    "share": "share, %",
}
BINARY = {"memory": (2**10, 1), "activations": (2**20, 1), "training_memory": (2**30, 2)}  # bytes in the unit, decimals
DECIMALS = {"start": 1, "share": 1}
SUMMED = ("weights", "biases", "macs", "operations", "memory")


def size_of(field: Field | None) -> int | str:
    """The receptive field's side in pixels; `7x9` where its height and width differ."""
    return WHOLE if field is None else _both(field, "size")


def _both(field: Field, name: str) -> Any:
    vertical, horizontal = (getattr(axis, name) for axis in field.axes)
    return vertical if vertical == horizontal else f"{vertical}x{horizontal}"


def record_of(row: Row) -> dict[str, Any]:
    """A row of a trace in plain values; memory is that of the result, in bytes, at 32 bits a number."""
    seen = row.field
    return {
        "name": row.name,
        "kind": row.kind,
        "output": "x".join(map(str, row.shape)),
        "weights": row.weights,
        "biases": row.biases,
        "macs": row.macs,
        "operations": row.operations,
        "memory": FLOAT_BYTES * row.values,
        "field": size_of(seen),
        "jump": None if seen is None else _both(seen, "jump"),
        "start": None if seen is None else _both(seen, "start"),
    }


def records_of(trace: Trace) -> list[dict[str, Any]]:
    return [record_of(row) for row in trace.rows]


def total_of(records: Sequence[Record]) -> dict[str, Any]:
    """The record that stands below them."""
    sums = {column: sum(record[column] for record in records) for column in SUMMED}
    return {"name": "total", "kind": f"{len(records)} rows"} | sums


def render(records: Sequence[Record], form: str, total: Record | None = None, facts: Record | None = None) -> str:
    """`records`, which have the same keys, as one text; `facts` stand in JSON beside them.

    Raises:
        UserError: `form` is none of FORMATS.
    """
    one_of("format", form, FORMATS)
    columns = list(records[0])
    if form == "json":
        content = {**(facts or {}), "rows": list(records), **({"total": total} if total else {})}
        return json.dumps(content, indent=2)
    if form == "csv":
        stream = io.StringIO()
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return stream.getvalue().rstrip("\n")
    rows = [*records, *([total] if total else [])]
    if form == "markdown":
        return _markdown(columns, [_cells(columns, row, exact=True) for row in rows], _numeric(columns, records))
    numeric = _numeric(columns, records)
    text = ""
    for exact in (True, False):
        cells = [_cells(columns, row, exact) for row in rows]
        text = _text(columns, cells, numeric, ruled=total is not None)
        if _width(text) <= WIDEST:
            return text
    longest = max(len(row[0]) for row in cells) - (_width(text) - WIDEST)
    shortened = [[_end_of(row[0], longest), *row[1:]] for row in cells]
    return _text(columns, shortened, numeric, ruled=total is not None)


def _width(text: str) -> int:
    return max(map(len, text.splitlines()))


def _end_of(name: str, longest: int) -> str:
    """The last part of a long name says most."""
    return name if len(name) <= longest else f"…{name[1 - longest :]}"


def aligned(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _numeric(columns: Sequence[str], records: Sequence[Record]) -> list[bool]:
    return [any(isinstance(record[column], int | float) for record in records) for column in columns]


def _cells(columns: Sequence[str], record: Record, exact: bool) -> list[str]:
    return [_cell(column, record.get(column), exact) for column in columns]


def _cell(column: str, value: Any, exact: bool) -> str:
    if isinstance(value, str):
        return value
    if not value:
        return ""
    if column in BINARY:
        unit, decimals = BINARY[column]
        return f"{value / unit:,.{decimals}f}"
    if isinstance(value, float):
        return f"{value:,.{DECIMALS[column]}f}" if column in DECIMALS else f"{value:,.4g}"
    return f"{value:,}" if exact else rounded(value)


def memory_text(size: int) -> str:
    """Bytes as MiB, or GiB from there on."""
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 else f"{size / 2**20:.2f} MiB"


def rounded(value: float) -> str:
    """Four digits and a unit: 115.6 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 10 * size or (value >= size and unit != "k"):
            return f"{value / size:#.4g}".rstrip(".") + f" {unit}"
    return f"{value:,}"


def _labels(columns: Sequence[str]) -> list[str]:
    return [LABELS.get(column, column.replace("_", " ")) for column in columns]


def _text(columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool], ruled: bool) -> str:
    """Aligned columns below a rule; above the last row another, where that is the sum."""
    labels = _labels(columns)
    widths = [max(map(len, column)) for column in zip(labels, *cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        parts = [
            part.rjust(width) if right else part.ljust(width)
            for part, width, right in zip(row, widths, numeric, strict=True)
        ]
        return "  ".join(parts).rstrip()

    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [line(labels), rule, *map(line, cells)]
    if ruled:
        lines.insert(-1, rule)
    return "\n".join(lines)


def _markdown(columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool]) -> str:
    marks = ["--:" if right else ":--" for right in numeric]
    return "\n".join("| " + " | ".join(row) + " |" for row in (_labels(columns), marks, *cells))
