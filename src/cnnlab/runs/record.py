"""A run's record, the content of its result.json: what was asked for, on which machine, and the results."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from cnnlab.analysis.cost import count_parameters
from cnnlab.build.objects import Parts
from cnnlab.machine.probes import device_name
from cnnlab.runs.folder import Record


def new_record(cfg: DictConfig, parts: Parts, run_id: str) -> Record:
    """The record of a run that is about to start."""
    data, model, machine = parts.data, parts.model, parts.machine
    limits = {f"data.{key}": cfg.data[key] for key in ("train_size", "limit")}
    limits |= {f"trainer.{key}": cfg.trainer[key] for key in ("limit_train_batches", "limit_eval_batches", "max_steps")}
    return {
        "status": "running",
        "run_id": run_id,
        "name": cfg.name,
        **_command(),
        "versions": {"python": sys.version.split()[0], "torch": torch.__version__, "lightning": L.__version__},
        "device": device_name(machine.device),
        "threads": machine.threads,
        "precision": machine.precision,
        "processes": parts.processes,
        "seed": cfg.seed,
        "network": model.card["network"],
        "stem": parts.stem,
        "parameters": count_parameters(model.net),
        "macs": parts.macs,
        "convolutions": dict(parts.convolutions),
        "data": {
            "name": data.name,
            "source": data.dataset.source,
            "fingerprint": data.dataset.fingerprint,
            "train": len(data.train),
            "val": len(data.val),
            "test": len(data.test),
        },
        "tta": cfg.tta,
        "limits": {key: value for key, value in limits.items() if value is not None},
    }


def _command() -> dict[str, Any]:
    """The overrides on the command line, and the choice of each configuration group."""
    if not HydraConfig.initialized():
        return {"overrides": [], "choices": {}}
    hydra = HydraConfig.get()
    choices = {group: choice for group, choice in hydra.runtime.choices.items() if choice and "hydra" not in group}
    return {"overrides": list(hydra.overrides.task), "choices": {group: _plain(c) for group, c in choices.items()}}


def _plain(choice: Any) -> Any:
    return choice if isinstance(choice, str) else list(choice)


def git_state(root: Path) -> dict[str, Any]:
    """The commit of `root`, and whether its tree was clean; None for both outside of git."""

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
