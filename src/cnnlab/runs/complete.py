"""What is known of a run before anything is trained: whether it is complete already. Imports no torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnnlab.config.folders import SOURCE
from cnnlab.config.schema import TrainConfig
from cnnlab.data.cache_files import noted_fingerprint
from cnnlab.runs.differences import differences
from cnnlab.runs.folder import Record, RunFolder
from cnnlab.runs.git import git_state
from cnnlab.runs.locate import locate_run
from cnnlab.runs.run_id import run_id
from cnnlab.runs.summary import result_table


def folder_of(cfg: TrainConfig, fingerprint: str) -> RunFolder:
    """The folder of the run that `cfg` describes on the images with `fingerprint`: the one there is, or a new one."""
    identity = run_id(cfg, fingerprint)
    known = locate_run(cfg.log_dir, cfg.name, identity)
    return RunFolder(known or Path(cfg.log_dir) / cfg.name / "-".join(filter(None, (differences(cfg), identity))))


def is_complete(record: Record, cfg: TrainConfig) -> bool:
    """Whether the recorded run has all that `cfg` asks for."""
    return record["status"] == "done" and ("test/acc" in record or not cfg.test)


def report_if_complete(cfg: TrainConfig, log: Callable[[str], None] = print) -> Record | None:
    """Print and return the record of a complete run whose images have not changed; else return None."""
    if cfg.fresh or cfg.trainer.num_nodes > 1:
        return None
    fingerprint = noted_fingerprint(cfg.data.name, Path(cfg.data.root), cfg.data.image_size)
    known = locate_run(cfg.log_dir, cfg.name, run_id(cfg, fingerprint)) if fingerprint else None
    folder = RunFolder(known) if known else None
    record = folder.read() if folder else None
    if folder is None or record is None or not is_complete(record, cfg):
        return None
    report_complete(record, folder, git_state(SOURCE), log)
    return record


def report_complete(record: Record, folder: RunFolder, git: dict[str, Any], log: Callable[[str], None]) -> None:
    """Print the results of a complete run, and the commit that made it."""
    log(f"this run is already complete; use fresh=true to train it again{made_with(record, git)}")
    log(result_table(record, folder.path))


def made_with(earlier: Record, git: dict[str, Any]) -> str:
    """The commit that made an earlier record, and whether it is the present one."""
    if earlier["git_commit"] is None:
        return ""
    made = f"; made with commit {earlier['git_commit'][:10]}" + ("" if earlier["git_clean"] else " and changes")
    if earlier["git_commit"] == git["git_commit"]:
        return made
    return f"{made}, while this is commit {str(git['git_commit'])[:10]}"
