"""What the callbacks share that record measurements of a run for its figures and for TensorBoard."""

from abc import abstractmethod
from typing import Any

import lightning as L
from lightning.pytorch.loggers import TensorBoardLogger


class Recorder(L.Callback):
    """A callback whose records are in the checkpoint, so that a resumed run has those of all epochs.

    It must not change training: its measurements are taken in the first process only, unless they are collective.
    """

    @abstractmethod
    def log_all(self, trainer: L.Trainer) -> None:
        """Log all records. TensorBoard starts with a new file each time a run is resumed."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.log_all(trainer)


def writer_of(trainer: L.Trainer) -> Any | None:
    """TensorBoard's writer, in the first process of a run that has one."""
    loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
    return loggers[0].experiment if loggers and trainer.is_global_zero else None
