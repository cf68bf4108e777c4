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
from cnnlab.files import write_atomically, writing

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
        """Remove what an earlier run left."""
        for entry in self.path.iterdir():
            if entry.name == ".lock":
                continue
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self.checkpoints.mkdir()
        self.figures.mkdir()

    def read(self) -> Record | None:
        """The record, or None where there is none or it cannot be read."""
        try:
            record = json.loads(self.result.read_text())
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) and "status" in record else None

    def write(self, record: Record) -> None:
        """Replace the record; numbers that are not finite become null, which JSON has no word for."""
        write_atomically(self.result, json.dumps(_finite(record), indent=2, allow_nan=False) + "\n")


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
