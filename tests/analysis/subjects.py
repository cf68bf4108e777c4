"""The networks of conf/model, built and traced once for all tests."""

import copy
from functools import cache

from omegaconf import DictConfig

from cnnlab.analysis.subject import Subject
from cnnlab.commands.analyze import described
from cnnlab.config.compose import CONF, compose

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))


@cache
def _configuration(model: str) -> DictConfig:
    return compose("analyze", [f"model={model}"])


@cache
def subject(model: str, data: str | None = None) -> Subject:
    """A network of conf/model on the meta device, for its own input or for that of the dataset `data`."""
    cfg = copy.deepcopy(_configuration(model))
    cfg.data.name = data
    return described(cfg, model, cfg.model)
