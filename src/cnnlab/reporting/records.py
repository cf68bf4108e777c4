"""The runs in a folder: their records, configurations and epochs. Does not import torch."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import yaml

from cnnlab.errors import UserError
from cnnlab.runs.folder import Record, RunFolder, parse_record
from cnnlab.runs.run_id import Value, flatten, is_hashed, multi_process_keys

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # CSafeLoader is ten times as fast; PyYAML may lack it
STATUSES = ("running", "done", "failed", "interrupted", "pruned")
MEASURED = ("val/acc", "test/acc", "test/acc_last")
NUMBERS = (*MEASURED, "epochs", "best_epoch", "train_seconds", "images_per_second")

Rows = list[dict[str, float | None]]


@dataclass(frozen=True)
class KnownRun:
    """A run that was read from its folder.

    Attributes:
        identity: values that can change the weights, by dotted key, without the seed and without null.
        values: all values of its record and its configuration, by dotted key.
    """

    folder: RunFolder
    record: Record
    identity: Mapping[str, Value]
    values: Mapping[str, Value]

    @property
    def is_done(self) -> bool:
        return self.record["status"] == "done"


def collect(folder: Path) -> tuple[list[KnownRun], list[str]]:
    """The runs in `folder`, sorted by path, and a line for each that is skipped: unreadable runs and duplicates.

    Raises:
        UserError: `folder` does not exist.
    """
    if not folder.is_dir():
        raise UserError(f"log_dir must be a folder with runs, and there is none at {folder}")
    runs: dict[str, KnownRun] = {}
    skipped = []
    for path in sorted(folder.rglob("result.json")):
        try:
            run = read_run(path.parent)
        except ValueError as error:
            skipped.append(f"skipped {path}: {error}")
            continue
        known = runs.setdefault(run.record["run_id"], run)
        if known is not run:
            best, other = (run, known) if run.is_done and not known.is_done else (known, run)
            runs[run.record["run_id"]] = best
            skipped.append(f"skipped {other.folder.result}: the same run as {best.folder.path}")
    return list(runs.values()), skipped


def read_run(folder: Path) -> KnownRun:
    """The run in `folder`.

    Raises:
        ValueError: its record or its configuration cannot be read.
    """
    record = _parse(folder / "result.json", parse_record)
    if problem := _problem(record):
        raise ValueError(problem)
    config = _parse(folder / "config.yaml", lambda text: yaml.load(text, Loader=LOADER))
    values = flatten(record) | flatten(config) | {"run": f"{record['name']}/{record['run_id']}"}
    resolved = {f"trainer.{key}": record[key] for key in ("precision", "threads") if record.get(key) is not None}
    resolved |= {f"trainer.{key}": value for key, value in multi_process_keys(config.get("trainer") or {}).items()}
    images = {"data.fingerprint": values.get("data.fingerprint")}
    # The choice is more specific than the target: plain18 is resnet18 without shortcuts.
    model = {"model": values["choices.model"]} if "choices.model" in values else {}
    identity = {key: value for key, value in flatten(config).items() if is_hashed(key)} | resolved | images | model
    return KnownRun(
        folder=RunFolder(folder),
        record=record,
        identity={key: value for key, value in identity.items() if value is not None},
        values=values | resolved | model,
    )


def _parse(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    """The mapping in a file; any problem with it is a ValueError with a one-line message."""
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path.name} is damaged: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} does not contain a mapping")
    return content


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether `value` is an integer or a float, and not a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _problem(record: Record) -> str | None:
    """Why a mapping is not a record, or None. Numbers may be missing, as in older records, but have no other type."""
    for key in ("run_id", "name"):
        if not isinstance(record.get(key), str):
            return f"{key} must be a text, got {record.get(key)!r}"
    if record.get("status") not in STATUSES:
        return f"status must be one of {list(STATUSES)}, got {record.get('status')!r}"
    for key in NUMBERS:
        value = record.get(key)
        if value is not None and not is_number(value):
            return f"{key} must be a number, got {value!r}"
    return None


def read_rows(run: KnownRun) -> Rows:
    """The rows of metrics.csv; missing numbers are None.

    Raises:
        ValueError: the file cannot be read, or is not a table of numbers with an epoch in each row.
    """
    try:
        with run.folder.metrics.open(newline="", encoding="utf-8") as file:
            rows = [
                {key: float(value) if value else None for key, value in row.items()} for row in csv.DictReader(file)
            ]
    except OSError as error:
        raise ValueError(f"metrics.csv cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"metrics.csv is damaged: {error}") from error
    if any(row.get("epoch") is None for row in rows):
        raise ValueError("metrics.csv has rows without an epoch")
    return rows
