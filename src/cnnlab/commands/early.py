"""Answers that need no torch or no Lightning: complete runs, missing files, and values that no network accepts."""

from pathlib import Path
from typing import Any, TypeGuard

from cnnlab.config.folders import choices
from cnnlab.config.schema import AnalyzeConfig, BenchmarkConfig, LabConfig, ShowConfig, TrainConfig
from cnnlab.config.sections import Logs
from cnnlab.config.trained import ExplainConfig, PredictConfig
from cnnlab.data.places import missing
from cnnlab.errors import UserError, checking, one_of
from cnnlab.lab.notebook import EXPERIMENTS, OF_A_PHOTOGRAPH
from cnnlab.predict.image_paths import check_exists
from cnnlab.runs.complete import report_if_complete
from cnnlab.runs.locate import locate_checkpoint

PARTS = ("maps", "filters", "features", "excite", "mistakes", "calibration", "scores")  # of explain


def answer(cfg: Logs) -> tuple[Logs, Any]:
    """`cfg` with its checkpoint as a file, and the command's result if there is nothing to do, else None.

    Raises:
        UserError: what `cfg` names is not there.
    """
    if isinstance(cfg, ExplainConfig):
        for name in cfg.show:
            one_of("show", name, ["all", *PARTS])
    if isinstance(cfg, PredictConfig | ExplainConfig) and cfg.images is not None:
        with checking():
            check_exists(cfg.images)
    if (given := getattr(cfg, "checkpoint", None)) is not None:
        found = [locate_checkpoint(one, cfg.log_dir) for one in ([given] if isinstance(given, str) else given)]
        return cfg.model_copy(update={"checkpoint": found[0] if isinstance(given, str) else found}), None
    if isinstance(cfg, AnalyzeConfig):
        for name in cfg.models or ():
            one_of("models", name, ["all", *choices("model")])
    if isinstance(cfg, LabConfig):
        one_of("lab", cfg.lab, ("all", *EXPERIMENTS))
        if cfg.image is not None and cfg.lab not in ("all", *OF_A_PHOTOGRAPH):
            raise UserError(f"image= is for lab={', '.join(OF_A_PHOTOGRAPH)} or all, got lab={cfg.lab}")
    result = report_if_complete(cfg) if type(cfg) is TrainConfig else None
    if result is None and (isinstance(cfg, ShowConfig) or _trains_here(cfg)):
        message = missing(cfg.data.name, Path(cfg.data.root), cfg.data.download)
        if message is not None:
            raise UserError(message)
    return cfg, result


def check(cfg: Logs) -> None:
    """Raise UserError for mistakes that torch alone can detect, before Lightning is imported, which takes seconds."""
    if _trains_here(cfg):
        from cnnlab.build.check import check_parts

        check_parts(cfg)


def _trains_here(cfg: Logs) -> TypeGuard[TrainConfig]:
    """Whether the command reads its data and trains; of several nodes, only the first one reads the data."""
    return isinstance(cfg, TrainConfig) and not isinstance(cfg, BenchmarkConfig) and cfg.trainer.num_nodes == 1
