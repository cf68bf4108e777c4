"""The networks of conf/model, built and traced once for all tests."""

from functools import cache

from cnnlab.analysis.subject import Subject
from cnnlab.commands.analyze import described
from cnnlab.config.compose import compose
from cnnlab.config.folders import CONF
from cnnlab.config.schema import AnalyzeConfig

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))


@cache
def _configuration(model: str) -> AnalyzeConfig:
    return compose("analyze", [f"model={model}"])


@cache
def subject(model: str, data: str | None = None) -> Subject:
    """A network of conf/model on the meta device, for its own input or for that of the dataset `data`."""
    cfg = _configuration(model)
    cfg = cfg.model_copy(update={"data": cfg.data.model_copy(update={"name": data})})
    return described(cfg, model, cfg.model)
