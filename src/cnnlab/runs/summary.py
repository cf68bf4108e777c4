"""The two blocks that a run prints: its facts before training, its result after."""

import os
import shutil
import sys
from pathlib import Path

from omegaconf import DictConfig

from cnnlab.data.datamodule import ImageDataModule
from cnnlab.rendering.numbers import duration, percent, speed
from cnnlab.rendering.tables import aligned
from cnnlab.runs.folder import Record
from cnnlab.training.classifier import ImageClassifier


def facts_block(cfg: DictConfig, data: ImageDataModule, model: ImageClassifier, record: Record, folder: Path) -> str:
    """What is about to be trained, on what, where."""
    spec, augmentation = data.spec, model.augmentation
    commit = record["git_commit"]
    threads = "1 thread" if record["threads"] == 1 else f"{record['threads']} threads"
    if record["processes"] > 1:
        threads = f"{record['processes']} processes, {threads} each"
    stem = getattr(model.net, "stem", None)
    left_out = ", ".join(_name(step) for step in augmentation.left_out)
    steps = ", ".join(_name(step) for step in (*augmentation.image_steps, *augmentation.mix_steps)) or "none"
    schedule = type(model.schedule).__name__
    validation = f"{len(data.val):,} validation, " if len(data.val) else "no validation, "
    rows = [
        ("network", f"{model.card['network']['name']}{f' (stem: {stem})' if stem else ''}, "
         f"{record['parameters']:,} parameters, {record['macs'] / 1e6:,.1f} M multiply-accumulates an image"),
        *_convolutions(record),
        ("data", f"{data.name} from {data.dataset.source}"),
        ("images", f"{len(data.train):,} training, {validation}{len(data.test):,} test{_limits(record)}"),
        ("input", f"{spec}, {spec.num_classes} classes"),
        ("augment", steps + (f"; left out: {left_out}, as a reflection changes what is shown" if left_out else "")),
        ("optimizer", f"{target_name(cfg.optimizer)}, rate {cfg.optimizer.lr:g}, {schedule}; "
         f"loss {target_name(cfg.loss)}; batch {data.batch_size}; seed {cfg.seed}"),
        *([("views", f"{record['tta']}, in evaluation")] if record["tta"] != "none" else []),
        ("device", f"{record['device']}, {threads}, {record['precision']}"),
        ("code", f"commit {commit[:10]}{'' if record['git_clean'] else ', with changes'}" if commit else "no commit"),
        ("run folder", str(folder)),
    ]  # fmt: skip
    return aligned(rows)


def _convolutions(record: Record) -> list[tuple[str, str]]:
    """How many layers are computed by which method, where not all are PyTorch's."""
    counts = record["convolutions"]
    if set(counts) <= {"torch"}:
        return []
    layers = sum(counts.values())
    return [("convolutions", f"{', '.join(f'{method} in {n}' for method, n in counts.items())} of {layers} layers")]


def _name(step: object) -> str:
    return type(step).__name__


def target_name(node: DictConfig) -> str:
    """The class or function that a part of the configuration names."""
    return str(node["_target_"]).rpartition(".")[2]


def _limits(record: Record) -> str:
    limits = ", ".join(f"{key}={value}" for key, value in record["limits"].items())
    return f" (limited by {limits})" if limits else ""


def result_table(record: Record, folder: Path) -> str:
    """What came out."""
    rows = []
    if record["best_epoch"] is not None:
        rows.append(("best epoch", f"{record['best_epoch']} of {record['epochs']}, by {record['monitor']}"))
    if record["val/acc"] is not None:
        rows.append(("validation accuracy", percent(record["val/acc"])))
    which = "best epoch's weights" if record["best_epoch"] is not None else "last weights"
    views = record.get("tta", "none")  # which earlier records do not have
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
    """How TensorBoard is called here: by its name only where an environment is active."""
    if shutil.which("tensorboard"):
        return "tensorboard"
    python = os.path.relpath(sys.executable)
    return f"{'python' if python.startswith('..') else python} -m tensorboard.main"
