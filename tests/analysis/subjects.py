"""The networks of conf/model, built and traced once for all tests."""

import copy
from dataclasses import dataclass
from functools import cache

from omegaconf import DictConfig
from torch import nn

from cnnlab.analysis.trace import Trace, trace
from cnnlab.commands.analyze import Form, described
from cnnlab.config.compose import CONF, compose

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))


@dataclass(frozen=True)
class Subject:
    net: nn.Module
    form: Form
    trace: Trace


@cache
def _configuration(model: str) -> DictConfig:
    return compose("analyze", [f"model={model}"])


@cache
def subject(model: str, data: str | None = None) -> Subject:
    """A network of conf/model on the meta device, for its own input or for that of a dataset."""
    cfg = copy.deepcopy(_configuration(model))
    cfg.data.name = data
    form, net = described(cfg, cfg.model)
    return Subject(net, form, trace(net, form.images.in_channels, form.images.image_size))
