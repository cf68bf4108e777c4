"""A run's folder: its files, its lock and its record."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from cnnlab.errors import UserError
from cnnlab.files import checksum_of, write_atomically, writing

Record = dict[str, Any]


class Held(UserError):
    """Another process owns the run folder."""


class RunFolder:
    """`logs/<name>/<differences>-<run id>/`, or `logs/<name>/<run id>/`; nothing is created before `hold`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.figures = path / "figures"
        self.result = path / "result.json"
        self.metrics = path / "metrics.csv"
        self.log = path / "train.log"
        self.predictions = path / "predictions.npz"

    @property
    def run_id(self) -> str:
        """The end of the folder's name."""
        return self.path.name.rpartition("-")[2]

    @contextmanager
    def hold(self, warn: Callable[[str], None] = print) -> Iterator[None]:
        """Create the folder and own it; the system releases the lock of a process that is killed.

        Args:
            warn: prints one line, where the file system has no locks.

        Raises:
            UserError: the folder cannot be written; Held, a UserError, if another process owns it.
        """
        lock = FileLock(self.path / ".lock", timeout=0)
        with writing(f"the run folder {self.path}"):
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            self.figures.mkdir(exist_ok=True)
            try:
                lock.acquire()
            except Timeout as error:
                raise Held(f"another process is training in {self.path}; wait for it, or stop it first") from error
            except NotImplementedError:
                warn(f"warning: the file system of {self.path} has no locks; do not train the same run twice at a time")
        try:
            for leftover in (*self.path.glob(".*.part"), *self.checkpoints.glob("*.part")):
                leftover.unlink(missing_ok=True)  # of a process that was killed while it wrote
            yield
        finally:
            lock.release()

    def empty(self) -> None:
        """Remove an earlier run's files; the record first, so that a kill in between leaves no complete run."""
        self.result.unlink(missing_ok=True)
        for entry in self.path.iterdir():
            if entry.name == ".lock":
                continue
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self.checkpoints.mkdir()
        self.figures.mkdir()

    def read(self) -> Record | None:
        """The record, or None if there is none or it is damaged."""
        try:
            record = parse_record(self.result.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record if "status" in record else None

    def write_yaml(self, name: str, content: Any) -> None:
        """Write a file of plain values for people and programs to read."""
        write_atomically(self.path / name, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))

    def write(self, record: Record) -> None:
        """Replace the record; numbers that are not finite become null, as JSON has no other way to write them."""
        content = json.loads(json.dumps(record), parse_constant=lambda _: None)
        content["checksum"] = _checksum_of(content)
        write_atomically(self.result, json.dumps(content, indent=2, allow_nan=False) + "\n")


def parse_record(text: str) -> Record:
    """The record in `text`; a record without a checksum, as older versions wrote it, is accepted.

    Raises:
        ValueError: `text` is not a JSON object, or its checksum does not match.
    """
    record = json.loads(text, parse_constant=lambda _: None)
    if not isinstance(record, dict):
        raise ValueError("it holds no mapping")
    checksum = record.pop("checksum", None)
    if checksum is not None and checksum != _checksum_of(record):
        raise ValueError("its checksum does not match its content: it was damaged, or changed by hand")
    return record


def _checksum_of(record: Record) -> str:
    return checksum_of(json.dumps(record, sort_keys=True))
