"""What a command can answer before it imports torch: a complete run, and a checkpoint or experiment that is missing."""

from typing import Any

from cnnlab.config.folders import choices
from cnnlab.config.schema import AnalyzeConfig, LabConfig, TrainConfig
from cnnlab.config.sections import Logs
from cnnlab.config.trained import EvalConfig, PredictConfig
from cnnlab.errors import UserError, one_of
from cnnlab.lab.notebook import EXPERIMENTS, OF_A_PHOTOGRAPH
from cnnlab.predict.image_paths import check_exists
from cnnlab.runs.complete import report_if_complete
from cnnlab.runs.locate import locate_checkpoint


def answer(cfg: Logs) -> tuple[Logs, Any]:
    """`cfg` with its checkpoint as a file, and the command's result if there is nothing to do, else None.

    Raises:
        UserError: what `cfg` names is not there.
    """
    if isinstance(cfg, PredictConfig):
        try:
            check_exists(cfg.images)
        except ValueError as error:
            raise UserError(str(error)) from error
    if isinstance(cfg, EvalConfig) and isinstance(cfg.checkpoint, list):
        return cfg.model_copy(
            update={"checkpoint": [locate_checkpoint(one, cfg.log_dir) for one in cfg.checkpoint]}
        ), None
    if isinstance(cfg, EvalConfig | AnalyzeConfig | PredictConfig) and isinstance(cfg.checkpoint, str):
        return cfg.model_copy(update={"checkpoint": locate_checkpoint(cfg.checkpoint, cfg.log_dir)}), None
    if isinstance(cfg, AnalyzeConfig):
        for name in cfg.models or ():
            one_of("models", name, ["all", *choices("model")])
    if isinstance(cfg, LabConfig):
        one_of("lab", cfg.lab, ("all", *EXPERIMENTS))
        if cfg.image is not None and cfg.lab not in ("all", *OF_A_PHOTOGRAPH):
            raise UserError(f"image= is for lab={', '.join(OF_A_PHOTOGRAPH)} or all, got lab={cfg.lab}")
    return cfg, report_if_complete(cfg) if type(cfg) is TrainConfig else None
