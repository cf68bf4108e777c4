"""From the configuration to the objects of a run."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from cnnlab import models
from cnnlab.augment import Augmentation
from cnnlab.augment.pipeline import normalize
from cnnlab.augment.views import check_tta
from cnnlab.build.targets import make, target_of
from cnnlab.data.datamodule import ImageDataModule, Subset
from cnnlab.errors import UserError, one_of
from cnnlab.image_spec import ImageSpec
from cnnlab.machine.setup import Machine
from cnnlab.training.callbacks import Checkpoints, Display, GradientNorms, History, InputImages
from cnnlab.training.classifier import ImageClassifier, mode_of
from cnnlab.training.precision import Bf16Mixed

Log = Callable[[str], None]

CARD_FORMAT = 1  # of what a checkpoint says of itself


def datamodule(cfg: DictConfig, log: Log = print) -> ImageDataModule:
    """The data of `cfg`, split; reads it if it is not cached yet."""
    options = {str(key): value for key, value in cfg.data.items() if key != "epochs"}  # which the trainer takes
    module = ImageDataModule(**options, seed=cfg.get("seed", 0), log=log)
    module.setup()
    return module


def check_limits(trainer: DictConfig, data: ImageDataModule) -> None:
    """Raise UserError where a share of the batches that `trainer` asks for is none."""
    evaluated = [data.eval_dataloader(subset) for subset in (data.val, data.test) if len(subset)]
    for stage, loaders in (("train", [data.train_dataloader()]), ("eval", evaluated)):
        fraction, fewest = trainer[f"limit_{stage}_batches"], min(map(len, loaders))
        if isinstance(fraction, float) and int(fraction * fewest) == 0:
            batches = f"{fewest} {'batch' if fewest == 1 else 'batches'}"
            raise UserError(f"trainer.limit_{stage}_batches={fraction} of {batches} is none; take more, or a number")


def network(node: DictConfig, spec: ImageSpec) -> nn.Module:
    """The network of `node`, for images as `spec` says."""
    return make(node, "model", **spec.network_arguments)


def augmentation(node: DictConfig, spec: ImageSpec) -> Augmentation:
    """The steps of `node` in their order, without those that are null; a step that takes `spec` gets them."""
    steps = []
    for name, step in node.items():
        if step is None:
            continue
        wants_spec = "spec" in inspect.signature(target_of(step, f"augment.{name!s}")).parameters
        steps.append(make(step, f"augment.{name!s}", **({"spec": spec} if wants_spec else {})))
    return Augmentation(steps, spec)


def classifier(cfg: DictConfig, data: ImageDataModule) -> ImageClassifier:
    """Network, loss, optimizer, schedule and augmentation of `cfg`, for `data`; the seed decides the first weights."""
    spec = data.spec
    check_tta(cfg.tta, spec.mirror)
    make(cfg.optimizer, "optimizer", [nn.Parameter(torch.zeros(1))])  # wrong values are told before anything is made
    torch.manual_seed(cfg.seed)
    net: Any = network(cfg.model, spec)
    if count := getattr(net, "whitening_images", 0):
        net.whiten(normalize(spread(data.train, count), spec))
    return ImageClassifier(
        net=net,
        loss=make(cfg.loss, "loss"),
        optimizer=lambda groups: make(cfg.optimizer, "optimizer", groups),
        schedule=make(cfg.scheduler, "scheduler"),
        augmentation=augmentation(cfg.augment, spec),
        bias_lr_factor=cfg.param_groups.bias_lr_factor,
        tta=cfg.tta,
        seed=cfg.seed,
        max_steps=cfg.trainer.max_steps,
        compiled=cfg.trainer.compile,
        monitor=cfg.monitor,
        card=card(cfg, data),
    )


def spread(subset: Subset, count: int) -> Tensor:
    """`count` images of `subset`, or all where it has fewer, at equal distances: uint8 (N, C, H, W)."""
    count = min(count, len(subset))
    images, _ = subset[torch.arange(count) * len(subset) // count]
    return images


def card(cfg: DictConfig, data: ImageDataModule) -> dict[str, Any]:
    """What a checkpoint says of itself, in plain values: enough to build the network and to read its data again."""
    spec = data.spec
    arguments = OmegaConf.to_container(cfg.model)
    assert isinstance(arguments, dict)
    name = str(arguments.pop("_target_")).rpartition(".")[2]
    split = ("name", "val_size", "split_seed", "train_size", "limit")
    return {
        "format": CARD_FORMAT,
        "network": {"name": name, "arguments": arguments | spec.network_arguments},
        "data": {key: cfg.data[key] for key in split} | {"fingerprint": data.dataset.fingerprint},
        "classes": list(data.dataset.classes),
        "image_size": spec.image_size,
        "mean": list(spec.mean),
        "std": list(spec.std),
        "tta": cfg.tta,
    }


def network_of_card(card: dict[str, Any]) -> nn.Module:
    """The network that a checkpoint's card names, which must be one of ours.

    Raises:
        UserError: it is none of ours, or does not take these arguments.
    """
    name, arguments = card["network"]["name"], card["network"]["arguments"]
    one_of("the checkpoint's network", name, models.__all__)
    return make(OmegaConf.create({"_target_": f"cnnlab.models.{name}"}), "model", **arguments)


class Curves(TensorBoardLogger):
    """TensorBoard, without the file of hyperparameters that Lightning adds: config.yaml has them."""

    def save(self) -> None:
        self.experiment.flush()


def trainer(
    cfg: DictConfig, machine: Machine, folder: Path, history: History, checkpoints: Checkpoints, log: Log
) -> L.Trainer:
    """The Trainer of `cfg`, which keeps `history` and `checkpoints` and logs to TensorBoard in `folder`.

    Where the run has several processes, this is one of them.
    """
    with_validation = cfg.data.val_size != 0
    callbacks: list[L.Callback] = [
        InputImages(cfg.logger.images, cfg.logger.graph), history, checkpoints, Display(history, log),
    ]  # fmt: skip
    if cfg.callbacks.early_stopping is not None:
        callbacks.append(EarlyStopping(cfg.monitor, mode=mode_of(cfg.monitor), **cfg.callbacks.early_stopping))
    if cfg.callbacks.averaging is not None:
        callbacks.append(EMAWeightAveraging(torch.device(machine.device), **cfg.callbacks.averaging))
    if cfg.callbacks.gradient_norms is not None:
        callbacks.append(GradientNorms(**cfg.callbacks.gradient_norms))
    logger = Curves(folder.parent, name="", version=folder.name, default_hp_metric=False)
    is_distributed = cfg.trainer.devices * cfg.trainer.num_nodes > 1
    # Without it Lightning takes a cluster's variables for its own: it demands as many processes as the job has tasks.
    environment = LightningEnvironment()
    # The classifier shares batch norm's statistics itself, after each step, so that validation has them too.
    shared = DDPStrategy(cluster_environment=environment, broadcast_buffers=False)
    bf16 = [Bf16Mixed(machine.device)] if machine.precision == "bf16-mixed" else []
    return L.Trainer(
        accelerator=machine.accelerator,
        devices=cfg.trainer.devices,
        num_nodes=cfg.trainer.num_nodes,
        strategy=shared if is_distributed else "auto",
        plugins=[*bf16, *([] if is_distributed else [environment])],
        default_root_dir=folder,  # on a cluster, Lightning resumes from any hpc_ckpt_*.ckpt that it finds there
        sync_batchnorm=cfg.trainer.sync_batchnorm,
        precision=None if bf16 else machine.precision,  # type: ignore[arg-type]
        max_epochs=cfg.trainer.max_epochs,
        gradient_clip_val=cfg.trainer.gradient_clip_val,
        limit_train_batches=cfg.trainer.limit_train_batches,
        limit_val_batches=cfg.trainer.limit_eval_batches if with_validation else 0,
        limit_test_batches=cfg.trainer.limit_eval_batches,
        callbacks=callbacks,
        logger=logger if cfg.logger.tensorboard else False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        deterministic=False,
        benchmark=machine.device == "cuda",
    )
