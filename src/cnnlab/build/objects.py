"""From the configuration to the objects of a run."""

import inspect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from cnnlab import models
from cnnlab.analysis.cost import count_macs
from cnnlab.augment import Augmentation
from cnnlab.augment.pipeline import normalize
from cnnlab.augment.views import check_tta
from cnnlab.build.targets import make, target_of
from cnnlab.config.compose import to_dict
from cnnlab.data.datamodule import ImageDataModule, Subset
from cnnlab.errors import UserError, one_of
from cnnlab.image_spec import ImageSpec
from cnnlab.machine.setup import Machine, prepare
from cnnlab.models.protocols import HasStem, HasWhitening
from cnnlab.ops.swap import swap_convolutions
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


def build_parts(cfg: DictConfig, processes: int = 1, log: Callable[[str], None] = print) -> Parts:
    """The data, the classifier and the machine's settings for `cfg`.

    Raises:
        UserError: the configuration, the data or the machine does not allow it.
    """
    prepare(cfg.trainer)  # reports what the machine lacks before any data is read
    data = build_datamodule(cfg, log)
    check_limits(cfg.trainer, data)
    return build_model_parts(cfg, data, processes)


def build_model_parts(cfg: DictConfig, data: ImageDataModule, processes: int = 1) -> Parts:
    """The parts of a run of `cfg` on `data`: builds the classifier, swaps its convolutions and prepares the machine.

    Raises:
        UserError: the configuration or the machine does not allow it.
    """
    model = build_classifier(cfg, data)
    macs = count_macs(model.net, data.spec.in_channels, data.spec.image_size)
    convolutions = swap_convolutions(model.net, cfg.conv)
    machine = prepare(cfg.trainer, macs_per_step=macs * cfg.data.batch_size / processes)
    return Parts(data, model, machine, macs, convolutions, processes)


def build_datamodule(cfg: DictConfig, log: Callable[[str], None] = print) -> ImageDataModule:
    """The data of `cfg`, split; reads it if it is not cached yet."""
    options = {str(key): value for key, value in cfg.data.items() if key != "epochs"}  # the trainer takes the epochs
    module = ImageDataModule(**options, seed=cfg.get("seed", 0), log=log)
    module.setup()
    return module


def check_limits(trainer: DictConfig, data: ImageDataModule) -> None:
    """Raise UserError if a fraction of the batches that `trainer` asks for rounds to none."""
    evaluated = [data.eval_dataloader(subset) for subset in (data.val, data.test) if len(subset)]
    for stage, loaders in (("train", [data.train_dataloader()]), ("eval", evaluated)):
        fraction, fewest = trainer[f"limit_{stage}_batches"], min(map(len, loaders))
        if isinstance(fraction, float) and int(fraction * fewest) == 0:
            batches = f"{fewest} {'batch' if fewest == 1 else 'batches'}"
            raise UserError(f"trainer.limit_{stage}_batches={fraction} of {batches} is none; use more, or a number")


def build_network(node: DictConfig, spec: ImageSpec) -> nn.Module:
    """The network of `node`, for images as `spec` describes them."""
    return make(node, "model", **spec.network_arguments)


def build_augmentation(node: DictConfig, spec: ImageSpec) -> Augmentation:
    """The steps of `node` in order, without those that are null; a step with an argument `spec` receives it."""
    steps = []
    for name, step in node.items():
        if step is None:
            continue
        takes_spec = "spec" in inspect.signature(target_of(step, f"augment.{name!s}")).parameters
        steps.append(make(step, f"augment.{name!s}", **({"spec": spec} if takes_spec else {})))
    return Augmentation(steps, spec)


def build_classifier(cfg: DictConfig, data: ImageDataModule) -> ImageClassifier:
    """Network, loss, optimizer, schedule and augmentation of `cfg` for `data`; the seed sets the initial weights."""
    spec = data.spec
    check_tta(cfg.tta, spec.mirror)
    make(cfg.optimizer, "optimizer", [nn.Parameter(torch.zeros(1))])  # reports wrong values before anything is built
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


def build_card(cfg: DictConfig, data: ImageDataModule) -> dict[str, Any]:
    """The card of a checkpoint, in plain values: enough to rebuild the network and to read its data again."""
    spec = data.spec
    arguments = to_dict(cfg.model)
    name = str(arguments.pop("_target_")).rpartition(".")[2]
    split = ("name", "val_size", "split_seed", "train_size", "limit")
    return {
        "format": CARD_FORMAT,
        "network": {"name": name, "arguments": arguments | spec.network_arguments},
        "data": {key: cfg.data[key] for key in split} | {"fingerprint": data.dataset.fingerprint},
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
    return make(OmegaConf.create({"_target_": f"cnnlab.models.{name}"}), "model", **arguments)
