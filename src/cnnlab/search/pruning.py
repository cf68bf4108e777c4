"""Ends runs that lag behind others of their study."""

import math
from collections.abc import Mapping, Sequence

import lightning as L
from lightning.pytorch.callbacks import Checkpoint
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.trial import Trial

from cnnlab.runs.run import Pruned
from cnnlab.training.callbacks import History

REDUCTION = 3  # successive halving: one of three goes on to three times as many epochs


def make_pruner(name: str, after: float, epochs: int) -> BasePruner:
    """The pruner of conf/tune.yaml, which lets every run have `after` of its `epochs`."""
    first = max(1, math.ceil(after * epochs))
    if name == "median":
        return MedianPruner(n_warmup_steps=first)
    return SuccessiveHalvingPruner(first, REDUCTION) if name == "halving" else NopPruner()


Rows = Sequence[Mapping[str, float | None]]  # of metrics.csv


class Pruning(Checkpoint):
    """Tells a trial the monitored metric of each epoch, and ends the run where the study's pruner says so.

    A Checkpoint to Lightning only so that it is called after the history and the checkpoints have the epoch.

    Args:
        may_prune: false only tells.
    """

    def __init__(self, trial: Trial, monitor: str, may_prune: bool = True) -> None:
        self.trial, self.monitor, self.may_prune = trial, monitor, may_prune
        self.reported = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.report(_rows(trainer))  # of a resumed run

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        rows = _rows(trainer)
        self.report(rows)
        is_over = len(rows) == trainer.max_epochs or trainer.should_stop
        if self.may_prune and not is_over and self.trial.should_prune():
            raise Pruned(f"{self.monitor} is behind that of other trials")

    def report(self, rows: Rows) -> None:
        """Tell the trial of the epochs that it does not know yet."""
        for row in rows[self.reported :]:
            self.trial.report(float(row[self.monitor] or 0.0), int(row["epoch"] or 0))
        self.reported = len(rows)


def _rows(trainer: L.Trainer) -> Rows:
    (history,) = (callback for callback in trainer.callbacks if isinstance(callback, History))  # type: ignore[attr-defined]
    return history.rows
