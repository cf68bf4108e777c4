"""A run in TensorBoard's HPARAMS tab."""

import lightning as L
from lightning.pytorch.loggers import TensorBoardLogger

from cnnlab.config.schema import TrainConfig
from cnnlab.runs.folder import Record
from cnnlab.runs.run_id import flatten, is_hashed, multi_process_keys


def log_hyperparameters(trainer: L.Trainer, cfg: TrainConfig, record: Record) -> None:
    """Log once, with the final metrics, so that TensorBoard's HPARAMS tab compares runs by all that changes weights."""
    values = flatten(cfg.model_dump())
    parameters = {key: value for key, value in values.items() if is_hashed(key) and value is not None}
    parameters |= {f"trainer.{key}": value for key, value in multi_process_keys(cfg.trainer.model_dump()).items()}
    parameters |= {f"trainer.{key}": record[key] for key in ("precision", "threads")}  # what auto means here
    metrics = {"val/acc_best": record["val/acc"], **{name: record.get(name) for name in ("test/acc", "test/loss")}}
    known = {name: value for name, value in metrics.items() if value is not None}
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams(parameters | {"seed": cfg.seed}, known, step=record["steps"])
            logger.finalize("success")
