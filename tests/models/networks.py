"""The networks under test: every file of conf/model/, in the paper's form and as the command line builds it."""

import inspect

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from cnnlab import models
from cnnlab.build import targets
from cnnlab.config.folders import CONF

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
# These networks accept no image of the small datasets unless it is enlarged.
LARGE_IMAGES = {"nin_d2l"}
SMALL_IMAGES = [model for model in MODELS if model not in LARGE_IMAGES]
# The smallest network of each family. Long tests of the others are marked slow.
FAST = {
    "alexnet", "cnn", "cnn_notes", "fastnet", "googlenet_bn", "lenet5", "lenet5_1998", "mlp", "mobilenet_v1",
    "mobilenet_v2", "nin", "preact_resnet18", "resnet20", "resnext29_32x4d", "se_resnet18", "vgg11", "zfnet",
}  # fmt: skip
# Options for a smaller form, for families whose smallest network is large.
REDUCED = {"wrn_28_10": {"depth": 10, "width": 2}}


def marked(models=SMALL_IMAGES, fast=frozenset(FAST)):
    """Return test parameters in which the networks outside `fast` are marked slow."""
    return [model if model in fast else pytest.param(model, marks=pytest.mark.slow) for model in models]


def arguments(model: str) -> dict:
    """Return the content of conf/model/<model>.yaml without its defaults list."""
    cfg = OmegaConf.to_container(OmegaConf.load(CONF / "model" / f"{model}.yaml"))
    return {key: value for key, value in cfg.items() if key != "defaults"}


def make(model: str, **more) -> nn.Module:
    """Build the network of conf/model/<model>.yaml with `more` arguments."""
    return targets.make(OmegaConf.create(arguments(model) | more), "model")


def make_for(model: str, in_channels: int, image_size: int, num_classes: int = 10, **more) -> nn.Module:
    """Build the network as the command line does for a dataset."""
    return make(model, in_channels=in_channels, image_size=image_size, num_classes=num_classes, **more)


def paper_input(model: str, batch: int = 2) -> Tensor:
    """Return a random batch of the builder's default image size, on the default device."""
    builder = getattr(models, arguments(model)["_target_"].rpartition(".")[2])
    defaults = {name: parameter.default for name, parameter in inspect.signature(builder).parameters.items()}
    side = defaults["image_size"]
    return torch.randn(batch, defaults["in_channels"], side, side)


def without_dropout(net: nn.Module) -> nn.Module:
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net
