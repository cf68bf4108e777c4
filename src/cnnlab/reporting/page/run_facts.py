"""What a run's record, configuration and epochs say, as plain values for a page. Imports no torch."""

import math
import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from cnnlab.data.specs import SPECS
from cnnlab.rendering.numbers import memory_text
from cnnlab.reporting.conditions import text_of
from cnnlab.reporting.records import LOADER, NUMBERS, KnownRun, is_number, read_rows
from cnnlab.runs.run_id import flatten
from cnnlab.runs.summary import target_name

Facts = list[tuple[str, str]]

SIGNIFICANT = 7  # digits of a value in a curve; float32 has no more
TARGET = "_target_"


def run_facts(run: KnownRun) -> dict[str, Any]:
    """The run as a page shows it, without what its trained network says.

    `numbers` are those of the record, unchanged; `notes` list what is missing and why.
    """
    record, config = run.record, config_of(run)
    notes = [f"The run ended with the status {record['status']}."] if not run.is_done else []
    if record.get("error"):
        notes.append(f"Its error: {record['error']}")
    if limits := record.get("limits"):
        notes.append(f"Limited by {', '.join(f'{key}={text_of(value)}' for key, value in limits.items())}.")
    curves: dict[str, Any] = {"columns": [], "rows": []}
    try:
        curves = _curves(run)
    except ValueError as error:
        notes.append(f"No curves: {error}.")
    return {
        "id": record["run_id"],
        "name": record["name"],
        "network": text_of(run.values.get("model")),
        "data": text_of(run.values.get("data")),
        "status": record["status"],
        "seed": text_of(run.values.get("seed")),
        "numbers": {key: record.get(key) for key in (*NUMBERS, "parameters", "macs")},
        "monitor": record.get("monitor"),
        "trained": _trained(record, config),
        "command": _command(record),
        "environment": _environment(run),
        "configuration": [(key, text_of(value)) for key, value in flatten(config).items()],
        "curves": curves,
        "notes": notes,
    }


def config_of(run: KnownRun) -> dict[str, Any]:
    """The configuration in the run's folder, which `read_run` has read before."""
    content: dict[str, Any] = yaml.load((run.folder.path / "config.yaml").read_text(encoding="utf-8"), Loader=LOADER)
    return content


def _curves(run: KnownRun) -> dict[str, Any]:
    rows = read_rows(run)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return {"columns": columns, "rows": [[_rounded(row.get(column)) for column in columns] for row in rows]}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.{SIGNIFICANT}g}")


def _trained(record: Mapping[str, Any], config: Mapping[str, Any]) -> Facts:
    """What was trained on what."""
    images, trainer = config.get("data") or {}, config.get("trainer") or {}
    counts = record.get("data") or {}
    named = [("train", "training"), ("val", "validation"), ("test", "test")]
    facts = [
        ("network", _call(config.get("model"))),
        ("data", f"{images.get('name', '')}{f', {source}' if (source := counts.get('source')) else ''}"),
        ("images", ", ".join(f"{counts[key]:,} {word}" for key, word in named if is_number(counts.get(key)))),
        ("input", _input(record, images)),
        ("augmentation", "; ".join(_call(step) for step in (config.get("augment") or {}).values() if step) or "none"),
        ("loss", _call(config.get("loss"))),
        ("optimizer", _call(config.get("optimizer"))),
        ("schedule", _call(config.get("scheduler"))),
        ("epochs", _of(trainer.get("max_epochs"), f", in batches of {images.get('batch_size')}")),
        ("seed", _of(config.get("seed"))),
        ("views", "" if record.get("tta", "none") == "none" else f"{record['tta']}, in evaluation"),
    ]
    return [(label, text) for label, text in facts if text]


def _of(value: Any, more: str = "") -> str:
    return "" if value is None else f"{text_of(value)}{more}"


def _call(node: Any) -> str:
    """A part of the configuration as it would be built: `Adam(lr=0.002, fused=true)`."""
    if not isinstance(node, Mapping) or TARGET not in node:
        return ""
    arguments = ", ".join(f"{key}={_argument(value)}" for key, value in node.items() if not key.startswith("_"))
    return f"{target_name(node)}({arguments})" if arguments else target_name(node)


def _argument(value: Any) -> str:
    if isinstance(value, Mapping):
        return _call(value) or "{" + ", ".join(f"{key}: {_argument(one)}" for key, one in value.items()) + "}"
    return text_of(tuple(map(str, value)) if isinstance(value, list) else value)


def _input(record: Mapping[str, Any], images: Mapping[str, Any]) -> str:
    """Channels, size and number of classes of the network's input."""
    arguments = (record.get("network") or {}).get("arguments") or {}
    spec = SPECS.get(str(images.get("name")))
    if "image_size" not in arguments and spec is not None:
        arguments = spec.images.network_arguments
    if not arguments:
        return ""
    channels, side, classes = (arguments.get(key) for key in ("in_channels", "image_size", "num_classes"))
    return f"{channels} × {side} × {side} pixels, {classes} classes"


def _command(record: Mapping[str, Any]) -> list[str]:
    """The lines that repeat the run; empty if the record does not have its overrides."""
    if "overrides" not in record:
        return []
    words = " ".join(shlex.quote(str(override)) for override in record["overrides"])
    commit = record.get("git_commit")
    return [*([f"git checkout {commit}"] if commit else []), f"python src/train.py {words}".rstrip()]


def _environment(run: KnownRun) -> Facts:
    """Machine, versions, code and images, as far as the record has them."""
    record = run.record
    commit, memory = record.get("git_commit"), record.get("peak_memory")
    clean = {True: "", False: ", with changes that are not committed", None: ""}[record.get("git_clean")]
    facts = [
        ("device", _of(record.get("device"))),
        ("threads", _of(record.get("threads"))),
        ("processes", _of(record.get("processes"))),
        ("precision", _of(record.get("precision"))),
        ("convolutions", ", ".join(f"{method} in {n}" for method, n in (record.get("convolutions") or {}).items())),
        ("peak memory", memory_text(memory) if memory else ""),
        *((name, str(version)) for name, version in (record.get("versions") or {}).items()),
        ("commit", f"{commit}{clean}" if commit else "not recorded"),
        ("earlier commits", ", ".join(str(earlier) for earlier in record.get("earlier_commits") or ())),
        ("images' fingerprint", _of((record.get("data") or {}).get("fingerprint"))),
        ("run id", record["run_id"]),
        ("run folder", str(run.folder.path)),
    ]
    return [(label, text) for label, text in facts if text]
