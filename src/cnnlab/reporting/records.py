"""The runs in a folder: their records, configurations and epochs, read without torch."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cnnlab.errors import UserError
from cnnlab.runs.folder import Record, RunFolder, parse_record
from cnnlab.runs.run_id import Value, flatten, is_hashed, multi_process_keys

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the former is ten times as fast, if PyYAML has it
STATUSES = ("running", "done", "failed", "interrupted", "pruned")
MEASURED = ("val/acc", "test/acc", "test/acc_last")
NUMBERS = (*MEASURED, "epochs", "best_epoch", "train_seconds", "images_per_second")

Rows = list[dict[str, float | None]]


@dataclass(frozen=True)
class KnownRun:
    """A run as read from its folder.

    Args:
        identity: what can change its weights, by dotted key, without the seed; null counts as absent.
        values: everything in its record and its configuration, by dotted key.
    """

    folder: RunFolder
    record: Record
    identity: Mapping[str, Value]
    values: Mapping[str, Value]

    @property
    def is_done(self) -> bool:
        return self.record["status"] == "done"


def collect(folder: Path) -> tuple[list[KnownRun], list[str]]:
    """The runs in `folder`, by path, and a line for each that cannot be read or was already read.

    Raises:
        UserError: there is no such folder.
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
        known = runs.get(run.record["run_id"])
        if known is None or (run.is_done and not known.is_done):
            runs[run.record["run_id"]] = run
        if known is not None:
            kept, left = (known, run) if runs[run.record["run_id"]] is known else (run, known)
            skipped.append(f"skipped {left.folder.result}: the same run as {kept.folder.path}")
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
    pictures = {"data.fingerprint": values.get("data.fingerprint")}
    # The choice says more than the network: plain18 is resnet18 without shortcuts.
    model = {"model": values["choices.model"]} if "choices.model" in values else {}
    identity = {key: value for key, value in flatten(config).items() if is_hashed(key)} | resolved | pictures | model
    return KnownRun(
        folder=RunFolder(folder),
        record=record,
        identity={key: value for key, value in identity.items() if value is not None},
        values=values | resolved | model,
    )


def _parse(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    """The mapping in a file; whatever is wrong with it is a ValueError of one line."""
    try:
        content = parse(path.read_text())
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path.name} is damaged: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds no mapping")
    return content


def _problem(record: Record) -> str | None:
    """Why a mapping is not a record; numbers may be missing, as in older records, but not of another type."""
    for key in ("run_id", "name"):
        if not isinstance(record.get(key), str):
            return f"{key} must be a text, got {record.get(key)!r}"
    if record.get("status") not in STATUSES:
        return f"status must be one of {list(STATUSES)}, got {record.get('status')!r}"
    for key in NUMBERS:
        value = record.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            return f"{key} must be a number, got {value!r}"
    return None


def read_rows(run: KnownRun) -> Rows:
    """The rows of metrics.csv; a missing number is None.

    Raises:
        ValueError: the file cannot be read, or has other content.
    """
    try:
        with run.folder.metrics.open(newline="") as file:
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
