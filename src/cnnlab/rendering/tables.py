"""Records as tables, those of traces among them: aligned text, Markdown, CSV and JSON.

Text and Markdown are for reading: separators between thousands, nothing where there is nothing. CSV and JSON hold plain
numbers. Importing this does not import torch.
"""

import csv
import io
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from cnnlab.analysis.field import Field
from cnnlab.errors import one_of
from cnnlab.files import write_atomically, writing

if TYPE_CHECKING:
    from cnnlab.analysis.trace import Row, Trace

FORMATS = ("table", "markdown", "csv", "json")
READ_BY_PEOPLE = ("table", "markdown")
FLOAT_BYTES = 4
WIDEST = 120  # columns of text, above which large numbers are rounded
SHORTEST = 8  # to which a first column is shortened
WHOLE = "whole image"

Record = Mapping[str, Any]

LABELS = {
    "macs": "MACs",
    "operations": "pool+norm",
    "memory": "memory, KiB",
    "activations": "memory, MiB",
    "training_memory": "training, GiB",
    "fraction": "fraction, %",
}
BINARY = {"memory": (2**10, 1), "activations": (2**20, 1), "training_memory": (2**30, 2)}  # bytes in the unit, decimals
DECIMALS = {"start": 1, "fraction": 1}
SUMMED = ("weights", "biases", "macs", "operations", "memory")


def size_of(field: Field | None) -> int | str:
    """The receptive field's side in pixels; `7x9` where its height and width differ."""
    return WHOLE if field is None else _both(field, "size")


def _both(field: Field, name: str) -> Any:
    vertical, horizontal = (getattr(axis, name) for axis in field.axes)
    return vertical if vertical == horizontal else f"{vertical}x{horizontal}"


def record_of(row: "Row") -> dict[str, Any]:
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


def records_of(trace: "Trace") -> list[dict[str, Any]]:
    return [record_of(row) for row in trace.rows]


def total_of(records: Sequence[Record]) -> dict[str, Any]:
    """The record that stands below them."""
    sums = {column: sum(record[column] for record in records) for column in SUMMED}
    return {"name": "total", "kind": f"{len(records)} rows"} | sums


def render(
    records: Sequence[Record],
    form: str,
    total: Record | None = None,
    facts: Record | None = None,
    numbers: Collection[str] = (),
) -> str:
    """`records`, which have the same keys, as one text; `facts` stand in JSON beside them.

    Columns of numbers are aligned to the right, and so are those of text that `numbers` names.

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
    numeric = [column in numbers or _is_numeric(column, records) for column in columns]
    if form == "markdown":
        return _markdown(columns, [_cells(columns, row, exact=True) for row in rows], numeric)
    text = ""
    for exact in (True, False):
        cells = [_cells(columns, row, exact) for row in rows]
        text = _text(columns, cells, numeric, ruled=total is not None)
        if _width(text) <= WIDEST:
            return text
    longest = max(len(row[0]) for row in cells) - (_width(text) - WIDEST)
    if longest < SHORTEST:
        return text
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


def show(cfg: DictConfig, text: str, suffix: str = "") -> None:
    """Print `text`, or write it to `output`; with a suffix `table.md` becomes `table_suffix.md`.

    Raises:
        UserError: the file cannot be written.
    """
    if cfg.output is None:
        print(text)
        return
    path = Path(cfg.output)
    path = path.with_stem(f"{path.stem}_{suffix}") if suffix else path
    with writing(f"output={path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text + "\n")
    print(f"written: {path}")


def _is_numeric(column: str, records: Sequence[Record]) -> bool:
    return any(isinstance(record[column], int | float) for record in records)


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
    """Headings; a key of the configuration, which has a dot, stands as it is typed."""
    return [LABELS.get(column, column if "." in column else column.replace("_", " ")) for column in columns]


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
