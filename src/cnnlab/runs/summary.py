"""The two blocks that a run prints: its facts before training, its results after."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.config.schema import TrainConfig
from cnnlab.rendering.numbers import duration, percent, speed
from cnnlab.rendering.tables import aligned
from cnnlab.runs.folder import Record

if TYPE_CHECKING:
    from cnnlab.build.objects import Parts


def facts_block(cfg: TrainConfig, parts: "Parts", record: Record, folder: Path) -> str:
    """What is about to be trained, on which data and device."""
    data, model = parts.data, parts.model
    commit = record["git_commit"]
    stem = f" (stem: {parts.stem})" if parts.stem else ""
    validation = f"{len(data.val):,} validation, " if len(data.val) else "no validation, "
    rows = [
        ("network", f"{model.card['network']['name']}{stem}, {record['parameters']:,} parameters, "
         f"{record['macs'] / 1e6:,.1f} M multiply-accumulates per image"),
        *_convolutions(record),
        ("data", f"{data.name} from {data.dataset.source}"),
        ("images", f"{len(data.train):,} training, {validation}{len(data.test):,} test{_limits(record)}"),
        ("input", f"{data.spec}, {data.spec.num_classes} classes"),
        ("augment", str(parts.model.augmentation)),
        ("optimizer", f"{target_name(cfg.optimizer)}, learning rate {cfg.optimizer['lr']:g}, "
         f"{type(model.schedule).__name__}; loss {target_name(cfg.loss)}; batch {data.batch_size}; seed {cfg.seed}"),
        *([("views", f"{record['tta']}, in evaluation")] if record["tta"] != "none" else []),
        ("device", f"{record['device']}, {_threads(record)}, {record['precision']}"),
        ("code", f"commit {commit[:10]}{'' if record['git_clean'] else ', with changes'}" if commit else "no commit"),
        ("run folder", str(folder)),
    ]  # fmt: skip
    return aligned(rows)


def _threads(record: Record) -> str:
    threads = "1 thread" if record["threads"] == 1 else f"{record['threads']} threads"
    return f"{record['processes']} processes, {threads} each" if record["processes"] > 1 else threads


def _convolutions(record: Record) -> list[tuple[str, str]]:
    """How many layers each method computes, unless PyTorch computes all."""
    counts = record["convolutions"]
    if set(counts) <= {"torch"}:
        return []
    layers = sum(counts.values())
    return [("convolutions", f"{', '.join(f'{method} in {n}' for method, n in counts.items())} of {layers} layers")]


def target_name(node: Mapping[str, Any]) -> str:
    """The name of the class or function that a part of the configuration builds."""
    return str(node["_target_"]).rpartition(".")[2]


def _limits(record: Record) -> str:
    limits = ", ".join(f"{key}={value}" for key, value in record["limits"].items())
    return f" (limited by {limits})" if limits else ""


def result_table(record: Record, folder: Path) -> str:
    """Accuracies, time, and where to look."""
    rows = []
    if record["best_epoch"] is not None:
        rows.append(("best epoch", f"{record['best_epoch']} of {record['epochs']}, by {record['monitor']}"))
    if record["val/acc"] is not None:
        rows.append(("validation accuracy", percent(record["val/acc"])))
    which = "best epoch's weights" if record["best_epoch"] is not None else "last weights"
    views = record.get("tta", "none")  # older records lack it
    which += f", tta={views}" if views != "none" else ""
    if "test/acc" in record:
        rows.append(("test accuracy", f"{percent(record['test/acc'])}  ({which})"))
        if record["best_epoch"] is not None:
            rows.append(("", f"{percent(record['test/acc_last'])}  (last weights)"))
    pace = f"{speed(record['images_per_second'])} images/s"
    rows += [
        ("training time", f"{duration(record['train_seconds'])}, {pace}"),
        ("run folder", str(folder)),
        ("curves", f"{_tensorboard()} --logdir {folder.parent.parent}"),
    ]
    return aligned(rows)


def _tensorboard() -> str:
    """How to call TensorBoard here: by its name only if an environment is active."""
    if shutil.which("tensorboard"):
        return "tensorboard"
    python = os.path.relpath(sys.executable)
    return f"{'python' if python.startswith('..') else python} -m tensorboard.main"
