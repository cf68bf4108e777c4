"""A run's folder: its files, its lock and its record."""

import fcntl
import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnlab.errors import UserError
from cnnlab.files import checksum_of, write_atomically, writing

Record = dict[str, Any]


class Held(UserError):
    """Another process owns the run folder."""


class RunFolder:
    """`logs/<name>/<run id>/`; nothing is made before `hold`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.figures = path / "figures"
        self.result = path / "result.json"
        self.metrics = path / "metrics.csv"
        self.log = path / "train.log"

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Make the folder and own it; a kill gives it free.

        Raises:
            UserError: it cannot be written; Held, which is one, if another process owns it.
        """
        with writing(f"the run folder {self.path}"):
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            self.figures.mkdir(exist_ok=True)
            lock = (self.path / ".lock").open("w")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Held(f"another process is training in {self.path}; wait for it, or end it first") from error
            yield

    def empty(self) -> None:
        """Remove what an earlier run left; its record first, so that a kill in between leaves no finished run."""
        self.result.unlink(missing_ok=True)
        for entry in self.path.iterdir():
            if entry.name == ".lock":
                continue
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self.checkpoints.mkdir()
        self.figures.mkdir()

    def read(self) -> Record | None:
        """The record, or None where there is none or it cannot be read."""
        try:
            record = parse_record(self.result.read_text())
        except (OSError, ValueError):
            return None
        return record if "status" in record else None

    def write(self, record: Record) -> None:
        """Replace the record; numbers that are not finite become null, which JSON has no word for."""
        content = _finite(record)
        content["checksum"] = _checksum_of(content)
        write_atomically(self.result, json.dumps(content, indent=2, allow_nan=False) + "\n")


def parse_record(text: str) -> Record:
    """The record that `text` is; one without a checksum, as older ones, is taken as it is.

    Raises:
        ValueError: it is no JSON object, or not what was written.
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


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def git_state(root: Path) -> dict[str, Any]:
    """The commit of `root` and whether its tree was clean; None for each outside of git."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=20, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    status = git("status", "--porcelain")
    return {"git_commit": git("rev-parse", "HEAD"), "git_clean": None if status is None else status == ""}
