"""The run id: a hash of everything in a configuration that can change the weights."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from cnnlab.config.compose import to_dict

Value = str | int | float | bool | tuple[Any, ...] | None

# Keys that cannot change the weights: places, display, and how to treat an existing run.
NOT_HASHED = (
    "name",
    "log_dir",
    "logger",
    "learning_rates",  # optimizer.lr holds the one in use
    "callbacks.gradient_norms",
    "test",
    "fresh",
    "retry",
    "on_failure",
    "data.root",
    "data.download",
    "data.mirror",
    "data.epochs",  # trainer.max_epochs holds the number in use
    "data.eval_batch_size",
    "trainer.accelerator",
    "trainer.devices",  # hashed as `processes` where there are several; see `multi_process_keys`
    "trainer.num_nodes",
    "trainer.sync_batchnorm",
    "trainer.compile",  # hashed where it is true
)


def run_id(cfg: DictConfig, fingerprint: str) -> str:
    """Ten hexadecimal digits, equal for equal runs.

    `auto` is hashed as it stands, not as what it means on this machine: the same command is the same run everywhere.

    Args:
        fingerprint: of the images, wherever they are stored.
    """
    content = to_dict(cfg)
    for key in NOT_HASHED:
        group, _, name = key.partition(".")
        if name:
            content.get(group, {}).pop(name, None)
        else:
            content.pop(group, None)
    compiled = {"compile": True} if cfg.trainer.get("compile") else {}
    content["trainer"] |= multi_process_keys(cfg.trainer) | compiled
    content["fingerprint"] = fingerprint
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def is_hashed(key: str) -> bool:
    """Whether a dotted key can change the weights; the seed is not counted, as reports average over it."""
    return key != "seed" and not f"{key}.".startswith(tuple(f"{other}." for other in NOT_HASHED))


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
