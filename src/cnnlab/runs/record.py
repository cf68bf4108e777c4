"""A run's record, the content of its result.json: what was asked for, on which machine, and the results."""

import sys
from typing import Any

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig

from cnnlab.analysis.cost import count_parameters
from cnnlab.build.objects import Parts
from cnnlab.config.overrides import as_typed
from cnnlab.config.schema import TrainConfig
from cnnlab.machine.probes import device_name
from cnnlab.runs.folder import Record


def new_record(cfg: TrainConfig, parts: Parts, run_id: str) -> Record:
    """The record of a run that is about to start."""
    data, model, machine = parts.data, parts.model, parts.machine
    limits = {
        "data.train_size": cfg.data.train_size,
        "data.limit": cfg.data.limit,
        "trainer.limit_train_batches": cfg.trainer.limit_train_batches,
        "trainer.limit_eval_batches": cfg.trainer.limit_eval_batches,
        "trainer.max_steps": cfg.trainer.max_steps,
    }
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
    return {"overrides": as_typed(hydra.overrides.task), "choices": {group: _plain(c) for group, c in choices.items()}}


def _plain(choice: Any) -> Any:
    return choice if isinstance(choice, str) else list(choice)
