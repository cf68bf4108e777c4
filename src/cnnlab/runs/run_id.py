"""The run id: a hash of everything in a configuration that can change the weights."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cnnlab.config.fields import Section, changes_weights, is_always_hashed
from cnnlab.config.schema import TrainConfig
from cnnlab.config.validation import field_at

Value = str | int | float | bool | tuple[Any, ...] | None

AS_PROCESSES = ("devices", "num_nodes", "sync_batchnorm")  # hashed together; see `multi_process_keys`


def run_id(cfg: TrainConfig, fingerprint: str, more: Mapping[str, Any] | None = None) -> str:
    """Ten hexadecimal digits, equal for equal runs.

    Every key is hashed that can change the weights. `auto` is hashed as it stands, not as what it means on this
    machine: the same command is the same run everywhere.

    Args:
        fingerprint: of the images, wherever they are stored.
        more: what else the result depends on, by name.
    """
    content = hashed(cfg)
    trainer = content["trainer"]
    by_itself = {key: value for key, value in trainer.items() if key not in AS_PROCESSES}
    content["trainer"] = by_itself | multi_process_keys(trainer)
    text = json.dumps(content | {"fingerprint": fingerprint, **(more or {})}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def hashed(section: Section) -> dict[str, Any]:
    """The keys of a section that can change the weights, with their values."""
    content: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if changes_weights(field) and (is_always_hashed(field) or value != field.default):
            content[name] = hashed(value) if isinstance(value, Section) else value
    return content


def is_hashed(key: str) -> bool:
    """Whether a dotted key can change the weights; the seed is not counted, as reports average over it."""
    parts = key.split(".")
    fields = [field_at("train", ".".join(parts[: i + 1])) for i in range(len(parts))]
    return key != "seed" and all(changes_weights(field) for field in fields if field is not None)


def multi_process_keys(trainer: Mapping[Any, Any]) -> dict[str, int | bool]:
    """What several processes change: the order of sums, and the batch of batch norm. Empty for one process."""
    processes = trainer.get("devices", 1) * trainer.get("num_nodes", 1)
    return {"processes": processes, "sync_batchnorm": trainer.get("sync_batchnorm", False)} if processes > 1 else {}


def flatten(content: Mapping[Any, Any], prefix: str = "") -> dict[str, Value]:
    """Nested mappings by dotted key.

    A part of the configuration is named by its target: `model._target_: cnnlab.models.lenet5` becomes `model: lenet5`,
    `data.name` becomes `data`, and `augment` lists its steps.
    """
    flat: dict[str, Value] = {}
    for key, value in content.items():
        path = f"{prefix}{key}"
        if key == "_target_":
            flat[prefix.removesuffix(".")] = str(value).rpartition(".")[2]
        elif path == "data.name":
            flat["data"] = value
        elif isinstance(value, Mapping):
            flat |= flatten(value, f"{path}.")
        else:
            flat[path] = tuple(map(str, value)) if isinstance(value, list) else value
    if not prefix and isinstance(content.get("augment"), Mapping):
        flat["augment"] = "+".join(str(flat.get(f"augment.{step}")) for step in content["augment"]) or "none"
    return flat
