"""The records below a folder, and a table of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnlab.errors import UserError, one_of
from cnnlab.runs.folder import Record

FORMATS = ("table", "markdown")

COLUMNS = {
    "run": lambda r: f"{r['name']}/{r['run_id']}",
    "status": lambda r: r["status"],
    "seed": lambda r: str(r["seed"]),
    "epochs": lambda r: str(r["epochs"]),
    "best": lambda r: str(r["best_epoch"] or ""),
    "val %": lambda r: _percent(r["val/acc"]),
    "test %": lambda r: _percent(r["test/acc"]),
    "last %": lambda r: _percent(r["test/acc_last"]),
    "images/s": lambda r: f"{r['images_per_second']:,.0f}",
    "minutes": lambda r: f"{r['train_seconds'] / 60:.1f}",
    "limited": lambda r: "yes" if r["data"]["limit"] or r["data"]["train_size"] else "",
}
LEFT_ALIGNED = ("run", "status", "limited")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def collect(folder: Path) -> tuple[list[Record], list[str]]:
    """All records below `folder`, by name, and a line for each that cannot be read.

    Raises:
        UserError: there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"log_dir must be a folder with runs, and there is none at {folder}")
    records, unreadable = [], []
    for path in sorted(folder.rglob("result.json")):
        try:
            record = json.loads(path.read_text())
            cells(record)
        except (OSError, ValueError, TypeError, KeyError) as error:
            unreadable.append(f"skipped {path}: {type(error).__name__}: {error}")
        else:
            records.append(record)
    return records, unreadable


def cells(record: Record) -> list[str]:
    """A record's row; what an unfinished run does not have yet is empty."""
    if record["status"] == "done":
        return [column(record) for column in COLUMNS.values()]
    started = ("run", "status", "seed")
    return [column(record) if name in started else "" for name, column in COLUMNS.items()]


def table(records: Sequence[Record], form: str = "table") -> str:
    """One row a record, aligned, or as Markdown."""
    one_of("format", form, FORMATS)
    rows = [list(COLUMNS), *(cells(record) for record in records)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    aligned = [
        [
            f"{cell:<{w}}" if name in LEFT_ALIGNED else f"{cell:>{w}}"
            for cell, w, name in zip(row, widths, COLUMNS, strict=True)
        ]
        for row in rows
    ]
    if form == "table":
        return "\n".join("  ".join(row).rstrip() for row in aligned)
    rule = ["-" * w if name in LEFT_ALIGNED else "-" * (w - 1) + ":" for w, name in zip(widths, COLUMNS, strict=True)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (aligned[0], rule, *aligned[1:]))


def report(cfg: Any) -> None:
    """Print the table of `log_dir`."""
    records, unreadable = collect(Path(cfg.log_dir))
    for line in unreadable:
        print(line)
    print(table(records, cfg.format) if records else f"there are no runs below {cfg.log_dir} yet")
