"""The runs of a folder as data frames, for notebooks."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnnlab.config.folders import logs_root
from cnnlab.reporting.conditions import chosen
from cnnlab.reporting.records import KnownRun, collect, read_rows

if TYPE_CHECKING:
    import pandas

NAMES = ("run", "status", "seed")  # the first columns; `folder` is the last


def runs_frame(folder: str | Path | None = None, where: str | None = None) -> "pandas.DataFrame":
    """One row per run: its record and its configuration, by dotted key.

    Lists are tuples of texts, and keys that a run does not have are missing values. `frame.attrs["skipped"]` lists the
    runs that cannot be read, and why.

    Args:
        folder: the folder of runs; None for `logs`.
        where: conditions such as `model=resnet18 test/acc>0.9`.

    Raises:
        UserError: there is no such folder, or a condition cannot be used.
    """
    import pandas

    runs, skipped = _selected(folder, where)
    first = {key: None for run in runs for key in NAMES if key in run.values}
    rows = [first | dict(run.values) | {"folder": str(run.folder.path)} for run in runs]
    frame = pandas.DataFrame(rows, columns=None if rows else [*NAMES, "folder"])
    frame.attrs["skipped"] = skipped
    return frame


def epochs_frame(folder: str | Path | None = None, where: str | None = None) -> "pandas.DataFrame":
    """One row per run and epoch: run, seed, and the columns of metrics.csv; see `runs_frame`."""
    import pandas

    runs, skipped = _selected(folder, where)
    rows: list[dict[str, object]] = []
    for run in runs:
        try:
            rows += [{"run": run.values["run"], "seed": run.values.get("seed"), **row} for row in read_rows(run)]
        except ValueError as error:
            skipped.append(f"skipped {run.folder.path}: {error}")
    frame = pandas.DataFrame(rows, columns=None if rows else ["run", "seed", "epoch"])
    frame.attrs["skipped"] = skipped
    return frame.astype({"epoch": "int64"})


def _selected(folder: str | Path | None, where: str | None) -> tuple[list[KnownRun], list[str]]:
    runs, skipped = collect(Path(folder or logs_root()).expanduser())
    return chosen(runs, None if where is None else [where]), skipped
