"""From the configuration to the objects of a run."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab import models
from cnnlab.analysis.cost import count_macs
from cnnlab.build.check import build_augmentation, build_network, check_parts
from cnnlab.build.targets import make
from cnnlab.config.schema import TrainConfig
from cnnlab.config.sections import Trainer
from cnnlab.data.datamodule import ImageDataModule, Subset
from cnnlab.errors import UserError, checking, one_of
from cnnlab.machine.setup import Machine, prepare
from cnnlab.models.protocols import HasStem, HasWhitening
from cnnlab.ops.own import use_own_operators
from cnnlab.ops.swap import swap_convolutions
from cnnlab.preprocessing import normalize
from cnnlab.training.classifier import ImageClassifier

CARD_FORMAT = 1  # of the description of network and data in a checkpoint


@dataclass
class Parts:
    """What a run consists of.

    Attributes:
        macs: multiply-accumulates of a forward pass for one image.
        convolutions: layers by the method that computes their convolution.
        processes: that share each batch.
    """

    data: ImageDataModule
    model: ImageClassifier
    machine: Machine
    macs: int
    convolutions: Counter[str]
    processes: int

    @property
    def stem(self) -> str | None:
        """The form of the network's first layers, for networks with a choice."""
        net = self.model.net
        return net.stem if isinstance(net, HasStem) else None


def build_parts(cfg: TrainConfig, processes: int = 1, log: Callable[[str], None] = print) -> Parts:
    """The data, the classifier and the machine's settings for `cfg`.

    Raises:
        UserError: the configuration, the data or the machine does not allow it.
    """
    check_parts(cfg)
    data = build_datamodule(cfg, log)
    check_limits(cfg.trainer, data)
    return build_model_parts(cfg, data, processes)


def build_model_parts(cfg: TrainConfig, data: ImageDataModule, processes: int = 1) -> Parts:
    """The parts of a run of `cfg` on `data`: builds the classifier, swaps its convolutions and prepares the machine.

    Raises:
        UserError: the configuration or the machine does not allow it.
    """
    model = build_classifier(cfg, data)
    macs = count_macs(model.net, data.spec.in_channels, data.spec.image_size)
    convolutions = choose_convolutions(model.net, "im2col" if cfg.ops == "own" else cfg.conv)
    if cfg.ops == "own":
        use_own_operators(model.net)
    machine = prepare(cfg.trainer, macs_per_step=macs * cfg.data.batch_size / processes)
    return Parts(data, model, machine, macs, convolutions, processes)


def build_datamodule(cfg: TrainConfig, log: Callable[[str], None] = print) -> ImageDataModule:
    """The data of `cfg`, split; reads it if it is not cached yet."""
    options = cfg.data.model_dump(exclude={"epochs", "order_seed"})  # the trainer takes the epochs
    seed = cfg.seed if cfg.data.order_seed is None else cfg.data.order_seed
    module = ImageDataModule(**options, seed=seed, log=log)
    module.setup()
    return module


def check_limits(trainer: Trainer, data: ImageDataModule) -> None:
    """Raise UserError if a fraction of the batches that `trainer` asks for rounds to none."""
    evaluated = [data.eval_dataloader(subset) for subset in (data.val, data.test) if len(subset)]
    for stage, fraction, loaders in (
        ("train", trainer.limit_train_batches, [data.train_dataloader()]),
        ("eval", trainer.limit_eval_batches, evaluated),
    ):
        fewest = min(map(len, loaders))
        if isinstance(fraction, float) and int(fraction * fewest) == 0:
            batches = f"{fewest} {'batch' if fewest == 1 else 'batches'}"
            raise UserError(f"trainer.limit_{stage}_batches={fraction} of {batches} is none; use more, or a number")


def choose_convolutions(net: nn.Module, conv: str) -> Counter[str]:
    """Compute the convolutions of `net` by the method of the key `conv`; return the number of layers by method.

    Raises:
        UserError: the method is unknown.
    """
    with checking("conv"):
        return swap_convolutions(net, conv)


def build_classifier(cfg: TrainConfig, data: ImageDataModule) -> ImageClassifier:
    """Network, loss, optimizer, schedule and augmentation of `cfg` for `data`; the seed sets the initial weights."""
    spec = data.spec
    torch.manual_seed(cfg.seed)
    net = build_network(cfg.model, spec)
    if isinstance(net, HasWhitening) and net.whitening_images:
        net.whiten(normalize(evenly_spaced(data.train, net.whitening_images), spec))
    return ImageClassifier(
        net=net,
        loss=make(cfg.loss, "loss"),
        optimizer=lambda groups: make(cfg.optimizer, "optimizer", groups),
        schedule=make(cfg.scheduler, "scheduler"),
        augmentation=build_augmentation(cfg.augment, spec),
        bias_lr_factor=cfg.param_groups.bias_lr_factor,
        bias_weight_decay=cfg.param_groups.bias_weight_decay,
        tta=cfg.tta,
        seed=cfg.seed,
        max_steps=cfg.trainer.max_steps,
        compiled=cfg.trainer.compile,
        monitor=cfg.monitor,
        card=build_card(cfg, data),
    )


def evenly_spaced(subset: Subset, count: int) -> Tensor:
    """`count` images of `subset` at equal distances, or all if it has fewer: uint8 (N, C, H, W)."""
    count = min(count, len(subset))
    images, _ = subset[torch.arange(count) * len(subset) // count]
    return images


def build_card(cfg: TrainConfig, data: ImageDataModule) -> dict[str, Any]:
    """The card of a checkpoint, in plain values: enough to rebuild the network and to read its data again."""
    spec = data.spec
    arguments = dict(cfg.model)
    name = str(arguments.pop("_target_")).rpartition(".")[2]
    split = {"name", "val_size", "split_seed", "train_size", "limit"}
    return {
        "format": CARD_FORMAT,
        "network": {"name": name, "arguments": arguments | spec.network_arguments},
        "data": cfg.data.model_dump(include=split) | {"fingerprint": data.dataset.fingerprint},
        "classes": list(spec.classes),
        "image_size": spec.image_size,
        "mean": list(spec.mean),
        "std": list(spec.std),
        "tta": cfg.tta,
    }


def network_from_card(card: dict[str, Any]) -> nn.Module:
    """The network that a checkpoint's card names, with new weights.

    Raises:
        UserError: it is not a network of cnnlab, or does not accept these arguments.
    """
    name, arguments = card["network"]["name"], card["network"]["arguments"]
    one_of("the checkpoint's network", name, models.__all__)
    return make({"_target_": f"cnnlab.models.{name}"}, "model", **arguments)
