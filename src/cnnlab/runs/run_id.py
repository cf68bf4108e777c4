"""Which run a configuration is: a hash of all that can change its weights."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

# What cannot change the weights: where things lie, what is shown, and what is done with a run that exists already.
NOT_IDENTITY = (
    "name",
    "log_dir",
    "logger",
    "callbacks.gradient_norms",
    "test",
    "fresh",
    "retry",
    "on_failure",
    "data.root",
    "data.download",
    "data.mirror",
    "data.epochs",  # trainer.max_epochs holds what is used
    "data.eval_batch_size",
    "trainer.accelerator",
    "trainer.devices",  # their product counts where it is more than one; see `of_processes`
    "trainer.num_nodes",
    "trainer.sync_batchnorm",
    "trainer.compile",  # which counts where it is true
)


def run_id(cfg: DictConfig, precision: str, threads: int, fingerprint: str) -> str:
    """Ten hexadecimal digits, equal for equal runs.

    Args:
        precision, threads: as `auto` was resolved.
        fingerprint: of the pictures, which lie anywhere.
    """
    content = OmegaConf.to_container(cfg)
    assert isinstance(content, dict)
    for key in NOT_IDENTITY:
        node, *rest = key.split(".")
        if rest:
            content.get(node, {}).pop(rest[0], None)
        else:
            content.pop(node, None)
    compiled = {"compile": True} if cfg.trainer.get("compile") else {}
    content["trainer"] |= {"precision": precision, "threads": threads} | of_processes(cfg.trainer) | compiled
    content["fingerprint"] = fingerprint
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def of_processes(trainer: Mapping[Any, Any]) -> dict[str, int | bool]:
    """What several processes change: the order of sums, and what batch norm sees. Nothing, where there is one."""
    processes = trainer.get("devices", 1) * trainer.get("num_nodes", 1)
    return {"processes": processes, "sync_batchnorm": trainer.get("sync_batchnorm", False)} if processes > 1 else {}
