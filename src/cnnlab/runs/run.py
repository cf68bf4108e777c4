"""One run from its configuration to its record: found again and told, or begun, or gone on with."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from cnnlab.analysis.cost import count_macs, count_parameters
from cnnlab.build import objects as build
from cnnlab.cli.sweep import this_job
from cnnlab.config.compose import CONF
from cnnlab.data.datamodule import ImageDataModule
from cnnlab.errors import UserError
from cnnlab.machine.probes import device_name
from cnnlab.machine.setup import Machine, prepare
from cnnlab.ops.swap import swap_convolutions
from cnnlab.runs.execution import Run
from cnnlab.runs.folder import Record, RunFolder, git_state
from cnnlab.runs.launch import Team
from cnnlab.runs.log import Log
from cnnlab.runs.run_id import run_id
from cnnlab.runs.summary import result_table
from cnnlab.training.classifier import ImageClassifier


def train(cfg: DictConfig, *callbacks: L.Callback) -> Record:
    """Train, test and record the run that `cfg` is, or tell its record if it is done.

    Args:
        callbacks: called after those of `cfg`, in a run of one process; they must not change the weights.

    Raises:
        UserError: the configuration, the data or the folder does not allow it; the message says what.
    """
    if cfg.trainer.num_nodes > 1 and this_job() is not None:
        raise UserError("a sweep's jobs run on one node, got trainer.num_nodes above 1; give each job its own command")
    with Team(cfg.trainer.devices, cfg.trainer.num_nodes) as team:
        if team.node == 0:
            return _lead(cfg, team, callbacks)
        team.follow()
        return {}


def _lead(cfg: DictConfig, team: Team, callbacks: Sequence[L.Callback]) -> Record:
    log = Log()
    prepare(cfg.trainer)  # what this machine lacks is told before anything is read
    data = build.datamodule(cfg, log)
    build.check_limits(cfg.trainer, data)
    model = build.classifier(cfg, data)
    macs = count_macs(model.net, data.spec.in_channels, data.spec.image_size)
    convolutions = swap_convolutions(model.net, cfg.conv)
    machine = prepare(cfg.trainer, macs_per_step=macs * cfg.data.batch_size / team.size)
    _check_team(team, data, machine)
    identity = run_id(cfg, machine.precision, machine.threads, data.dataset.fingerprint)
    folder = RunFolder(Path(cfg.log_dir) / cfg.name / identity)
    with folder.hold():
        if cfg.fresh:
            folder.empty()
        earlier = folder.read()
        git = git_state(CONF.parent)
        if earlier is not None and earlier["status"] == "done" and ("test/acc" in earlier or not cfg.test):
            log(f"this run is done; fresh=true trains it again{_commits(earlier, git)}")
            log(result_table(earlier, folder.path))
            return earlier
        if earlier is not None and earlier["status"] == "failed" and not cfg.retry:
            raise UserError(
                f"this run failed before: {earlier['error']}\nretry=true goes on from its last checkpoint, fresh=true "
                f"begins anew; its folder is {folder.path}"
            )
        if earlier is not None:
            log(f"this run was begun before{_commits(earlier, git)}")
        record = _first_record(cfg, data, model, machine, folder) | git
        record |= {"macs": macs, "convolutions": dict(convolutions), "processes": team.size}
        record["earlier_commits"] = [*earlier["earlier_commits"], earlier["git_commit"]] if earlier else []
        return Run(cfg, machine, data, model, record, folder, log).execute(team, callbacks)


def _check_team(team: Team, data: ImageDataModule, machine: Machine) -> None:
    """Raise UserError where the processes cannot share the batches, or have no GPU each."""
    if data.batch_size % team.size:
        raise UserError(
            f"data.batch_size is that of all processes together, and must be a multiple of the {team.size} processes "
            f"(trainer.devices x trainer.num_nodes), got {data.batch_size}"
        )
    if machine.device == "cuda" and team.devices > torch.cuda.device_count():
        raise UserError(
            f"trainer.devices must be at most the {torch.cuda.device_count()} GPUs of this machine, got {team.devices}"
        )


def _commits(earlier: Record, git: dict[str, Any]) -> str:
    """Which code made the record, and whether that is the code at hand."""
    if earlier["git_commit"] is None:
        return ""
    made = f"; made with commit {earlier['git_commit'][:10]}" + ("" if earlier["git_clean"] else " and changes")
    if earlier["git_commit"] == git["git_commit"]:
        return made
    return f"{made}, while this is commit {str(git['git_commit'])[:10]}"


def _first_record(
    cfg: DictConfig, data: ImageDataModule, model: ImageClassifier, machine: Machine, folder: RunFolder
) -> Record:
    limits = {f"data.{key}": cfg.data[key] for key in ("train_size", "limit")}
    limits |= {f"trainer.{key}": cfg.trainer[key] for key in ("limit_train_batches", "limit_eval_batches", "max_steps")}
    return {
        "status": "running",
        "run_id": folder.path.name,
        "name": cfg.name,
        **_command(),
        "versions": {"python": sys.version.split()[0], "torch": torch.__version__, "lightning": L.__version__},
        "device": device_name(machine.device),
        "threads": machine.threads,
        "precision": machine.precision,
        "seed": cfg.seed,
        "network": model.card["network"],
        "stem": getattr(model.net, "stem", None),
        "parameters": count_parameters(model.net),
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
    """What was typed, and which file each group of the configuration is."""
    if not HydraConfig.initialized():
        return {"overrides": [], "choices": {}}
    hydra = HydraConfig.get()
    choices = {group: choice for group, choice in hydra.runtime.choices.items() if choice and "hydra" not in group}
    return {"overrides": list(hydra.overrides.task), "choices": choices}
