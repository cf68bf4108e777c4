"""Records as tables: aligned text, Markdown, CSV and JSON.

Text and Markdown are for people: they have thousands separators, and empty cells for missing values. CSV and JSON
contain plain numbers. Importing this module does not import torch.
"""

import csv
import io
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnlab.errors import one_of
from cnnlab.files import write_atomically, writing
from cnnlab.rendering.numbers import rounded
from cnnlab.rendering.printable import printable

FORMATS = ("table", "markdown", "csv", "json")
READ_BY_PEOPLE = ("table", "markdown")
WIDEST = 120  # characters per line; in wider tables large numbers are rounded
SHORTEST = 8  # characters to which the first column may be shortened

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


def render(
    records: Sequence[Record],
    form: str,
    total: Record | None = None,
    facts: Record | None = None,
    numbers: Collection[str] = (),
) -> str:
    """A table of `records`, which all have the same keys.

    Args:
        form: one of FORMATS.
        total: a last row, separated by a rule.
        facts: further content of JSON.
        numbers: text columns to align to the right, as columns of numbers are.

    Raises:
        UserError: `form` is not in FORMATS.
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
    """The end of a long name, its most specific part."""
    return name if len(name) <= longest else f"…{name[1 - longest :]}"


def aligned(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values in two aligned columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {printable(value)}" for name, value in rows)


def emit(text: str, output: str | None, suffix: str = "") -> None:
    """Print `text`, or write it to the file `output`; `suffix` changes `table.md` to `table_suffix.md`.

    Raises:
        UserError: the file cannot be written.
    """
    if output is None:
        print(text)
        return
    path = Path(output)
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
        return printable(value)
    if not value:
        return ""
    if column in BINARY:
        unit, decimals = BINARY[column]
        return f"{value / unit:,.{decimals}f}"
    if isinstance(value, float):
        return f"{value:,.{DECIMALS[column]}f}" if column in DECIMALS else f"{value:,.4g}"
    return f"{value:,}" if exact else rounded(value)


def _labels(columns: Sequence[str]) -> list[str]:
    """The headings; configuration keys, which contain a dot, are unchanged."""
    return [LABELS.get(column, column if "." in column else column.replace("_", " ")) for column in columns]


def _text(columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool], ruled: bool) -> str:
    """Aligned columns with a rule below the headings and, if `ruled`, above the last row."""
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
