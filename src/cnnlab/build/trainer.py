"""Lightning's Trainer from the configuration."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy

from cnnlab.config.schema import TrainConfig
from cnnlab.machine.setup import Machine
from cnnlab.training.callbacks import (
    Checkpoints,
    Display,
    FirstFilters,
    GradientNorms,
    History,
    LayerNorms,
    NetworkGraph,
    StepLosses,
)
from cnnlab.training.checkpoint_io import DirectCheckpointIO
from cnnlab.training.classifier import mode_of
from cnnlab.training.precision import Bf16Mixed

STEP_HOOKS = (
    "on_train_batch_start", "on_before_zero_grad", "on_before_backward", "on_after_backward",
    "on_before_optimizer_step", "on_train_batch_end",
)  # fmt: skip


class Curves(TensorBoardLogger):
    """TensorBoard without the file of hyperparameters that Lightning adds; config.yaml holds them."""

    def save(self) -> None:
        self.experiment.flush()


def build_trainer(
    cfg: TrainConfig,
    machine: Machine,
    folder: Path,
    history: History,
    checkpoints: Checkpoints,
    log: Callable[[str], None],
) -> L.Trainer:
    """The Trainer of `cfg`, which updates `history` and `checkpoints` and logs to `folder`.

    In a run of several processes, this process is one of them.
    """
    is_distributed = cfg.trainer.devices * cfg.trainer.num_nodes > 1
    # By default Lightning obeys a cluster's variables, and demands as many processes as the cluster's job has tasks.
    environment = LightningEnvironment()
    # The classifier averages batch norm's statistics itself after each step, so that validation has them too.
    ddp = DDPStrategy(cluster_environment=environment, broadcast_buffers=False)
    bf16 = [Bf16Mixed(machine.device)] if machine.precision == "bf16-mixed" else []
    return L.Trainer(
        accelerator=machine.accelerator,
        devices=cfg.trainer.devices,
        num_nodes=cfg.trainer.num_nodes,
        strategy=ddp if is_distributed else "auto",
        plugins=[DirectCheckpointIO(), *bf16, *([] if is_distributed else [environment])],
        default_root_dir=folder,  # on a cluster, Lightning resumes from any hpc_ckpt_*.ckpt that it finds there
        sync_batchnorm=cfg.trainer.sync_batchnorm,
        precision=None if bf16 else machine.precision,  # type: ignore[arg-type]
        max_epochs=cfg.trainer.max_epochs,
        gradient_clip_val=cfg.trainer.gradient_clip_val,
        limit_train_batches=cfg.trainer.limit_train_batches,
        limit_val_batches=cfg.trainer.limit_eval_batches if cfg.data.val_size != 0 else 0,
        limit_test_batches=cfg.trainer.limit_eval_batches,
        callbacks=[
            without_idle_hooks(callback)
            for callback in (*_callbacks(cfg, machine, history, checkpoints), Display(history, log))
        ],
        logger=_loggers(cfg, folder),
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        deterministic=False,
        benchmark=machine.device == "cuda",
    )


def _callbacks(cfg: TrainConfig, machine: Machine, history: History, checkpoints: Checkpoints) -> Iterator[L.Callback]:
    """In the order in which Lightning calls them; those that save come last by their class, whatever the order."""
    if cfg.logger.tensorboard is not None and cfg.logger.tensorboard.graph:
        yield NetworkGraph()
    yield StepLosses()
    yield LayerNorms()
    yield FirstFilters()
    yield history
    yield checkpoints
    if cfg.callbacks.early_stopping is not None:
        yield EarlyStopping(cfg.monitor, mode=mode_of(cfg.monitor), **cfg.callbacks.early_stopping.model_dump())
    if cfg.callbacks.averaging is not None:
        yield EMAWeightAveraging(torch.device(machine.device), **cfg.callbacks.averaging.model_dump())
    if cfg.callbacks.gradient_norms is not None:
        yield GradientNorms(**cfg.callbacks.gradient_norms.model_dump())


def without_idle_hooks(callback: L.Callback) -> L.Callback:
    """Replace the hooks of a training step that `callback` does not override by None, which Lightning does not call.

    Lightning calls every hook of every callback inside a profiler's context. For a step of some milliseconds, these
    calls are a few percent.
    """
    for name in STEP_HOOKS:
        if getattr(type(callback), name) is getattr(L.Callback, name):
            setattr(callback, name, None)
    return callback


def _loggers(cfg: TrainConfig, folder: Path) -> list[Logger]:
    if cfg.logger.tensorboard is None:
        return []
    return [Curves(folder.parent, name="", version=folder.name, default_hp_metric=False)]


@contextmanager
def without_lightnings_advice() -> Iterator[None]:
    """Silence Lightning's hints on workers and intervals, which do not apply here."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        yield
