"""The networks under test: every file of conf/model/, as its paper has it and as the command line builds it."""

import inspect

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from cnnlab import models
from cnnlab.build import targets
from cnnlab.config.compose import CONF

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
# The smallest of each family; what takes time for each network is slow for the others.
FAST = {
    "alexnet", "cnn", "fastnet", "googlenet_bn", "lenet5", "lenet5_1998", "mlp", "mobilenet_v1", "mobilenet_v2", "nin",
    "preact_resnet18", "resnet20", "resnext29_32x4d", "se_resnet18", "vgg11", "zfnet",
}  # fmt: skip
# Smaller forms, by their own arguments, of the families in which even the smallest network is large.
REDUCED = {"wrn_28_10": {"depth": 10, "width": 2}}


def marked(models=MODELS, fast=frozenset(FAST)):
    """The parameters of a test that takes time for each network: those outside `fast` are slow."""
    return [model if model in fast else pytest.param(model, marks=pytest.mark.slow) for model in models]


def arguments(model: str) -> dict:
    """What conf/model/<model>.yaml says, without the groups that it chooses elsewhere."""
    cfg = OmegaConf.to_container(OmegaConf.load(CONF / "model" / f"{model}.yaml"))
    return {key: value for key, value in cfg.items() if key != "defaults"}


def make(model: str, **more) -> nn.Module:
    """The network of conf/model/<model>.yaml; `more` is added to its arguments."""
    return targets.make(OmegaConf.create(arguments(model) | more), "model")


def make_for(model: str, in_channels: int, image_size: int, num_classes: int = 10, **more) -> nn.Module:
    """The network as the command line builds it for a dataset."""
    return make(model, in_channels=in_channels, image_size=image_size, num_classes=num_classes, **more)


def paper_input(model: str, batch: int = 2) -> Tensor:
    """A batch of the size that the builder takes when it is told nothing; on the default device."""
    builder = getattr(models, arguments(model)["_target_"].rpartition(".")[2])
    defaults = {name: parameter.default for name, parameter in inspect.signature(builder).parameters.items()}
    side = defaults["image_size"]
    return torch.randn(batch, defaults["in_channels"], side, side)


def without_dropout(net: nn.Module) -> nn.Module:
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net
