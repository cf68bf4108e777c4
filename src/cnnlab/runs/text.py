"""The two blocks that a run prints: its facts before training, its result after."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from cnnlab.data.datamodule import ImageDataModule
from cnnlab.learn.callbacks.display import duration
from cnnlab.learn.classifier import ImageClassifier
from cnnlab.runs.folder import Record


def aligned(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def facts_block(cfg: DictConfig, data: ImageDataModule, model: ImageClassifier, record: Record, folder: Path) -> str:
    """What is about to be trained, on what, where."""
    facts, augmentation = data.facts, model.augmentation
    stem = getattr(model.net, "stem", None)
    left_out = ", ".join(_name(step) for step in augmentation.left_out)
    steps = ", ".join(_name(step) for step in (*augmentation.image_steps, *augmentation.mix_steps)) or "none"
    schedule = type(model.schedule).__name__
    validation = f"{len(data.val):,} validation, " if len(data.val) else "no validation, "
    rows = [
        ("network", f"{model.card['network']['name']}{f' (stem: {stem})' if stem else ''}, "
         f"{record['parameters']:,} parameters, {record['macs'] / 1e6:,.1f} M multiply-accumulates an image"),
        ("data", f"{data.name} from {data.dataset.source}"),
        ("images", f"{len(data.train):,} training, {validation}{len(data.test):,} test{_limits(record['data'])}"),
        ("input", f"{len(facts.mean)} x {facts.image_size} x {facts.image_size}, {facts.num_classes} classes"),
        ("augment", steps + (f"; left out: {left_out}, as a reflection changes what is shown" if left_out else "")),
        ("optimizer", f"{target_name(cfg.optimizer)}, rate {cfg.optimizer.lr:g}, {schedule}; "
         f"loss {target_name(cfg.loss)}; batch {data.batch_size}; seed {cfg.seed}"),
        ("device", f"{record['device']}, {record['threads']} threads, {record['precision']}"),
        ("run folder", str(folder)),
    ]  # fmt: skip
    return aligned(rows)


def _name(step: object) -> str:
    return type(step).__name__


def target_name(node: DictConfig) -> str:
    """The class or function that a part of the configuration names."""
    return str(node["_target_"]).rpartition(".")[2]


def _limits(data: dict[str, Any]) -> str:
    limits = ", ".join(f"data.{key}={data[key]}" for key in ("train_size", "limit") if data[key] is not None)
    return f" (limited by {limits})" if limits else ""


def result_table(record: Record, folder: Path) -> str:
    """What came out."""
    rows = []
    if record["best_epoch"] is not None:
        rows.append(("best epoch", f"{record['best_epoch']} of {record['epochs']}, by {record['monitor']}"))
    if record["val/acc"] is not None:
        rows.append(("validation accuracy", percent(record["val/acc"])))
    which = "best epoch's weights" if record["best_epoch"] is not None else "last weights"
    rows.append(("test accuracy", f"{percent(record['test/acc'])}  ({which})"))
    if record["best_epoch"] is not None:
        rows.append(("", f"{percent(record['test/acc_last'])}  (last weights)"))
    speed = f"{record['images_per_second']:,.0f} images/s"
    rows += [
        ("training time", f"{duration(record['train_seconds'])}, {speed}"),
        ("run folder", str(folder)),
        ("curves", f"tensorboard --logdir {folder.parent.parent}"),
    ]
    return aligned(rows)


def percent(share: float) -> str:
    """A share as `97.22 %`."""
    return f"{100 * share:.2f} %"
