"""Pruning: end runs that fall behind other runs of their study."""

import math
from collections.abc import Mapping, Sequence

import lightning as L
from lightning.pytorch.callbacks import Checkpoint
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.trial import Trial

from cnnlab.runs.run import Pruned
from cnnlab.training.callbacks import History

REDUCTION = 3  # successive halving: one of three runs continues, for three times as many epochs


def make_pruner(name: str, after: float, epochs: int) -> BasePruner:
    """The pruner `name` of conf/tune.yaml; no run is pruned before the fraction `after` of its `epochs`."""
    first = max(1, math.ceil(after * epochs))
    if name == "median":
        return MedianPruner(n_warmup_steps=first)
    return SuccessiveHalvingPruner(first, REDUCTION) if name == "halving" else NopPruner()


Rows = Sequence[Mapping[str, float | None]]  # of metrics.csv


class Pruning(Checkpoint):
    """Reports the monitored metric of each epoch to a trial, and ends the run if the study's pruner decides so.

    It is a Checkpoint so that Lightning calls it after the history and the checkpoints have saved the epoch.

    Args:
        may_prune: whether the run may end early; if false, the metric is only reported.
    """

    def __init__(self, trial: Trial, monitor: str, may_prune: bool = True) -> None:
        self.trial, self.monitor, self.may_prune = trial, monitor, may_prune
        self.reported = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.report(_rows(trainer))  # the epochs of a resumed run

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        rows = _rows(trainer)
        self.report(rows)
        is_over = len(rows) == trainer.max_epochs or trainer.should_stop
        if self.may_prune and not is_over and self.trial.should_prune():
            raise Pruned(f"{self.monitor} is behind that of other trials")

    def report(self, rows: Rows) -> None:
        """Report the rows that the trial does not have yet."""
        for row in rows[self.reported :]:
            self.trial.report(float(row[self.monitor] or 0.0), int(row["epoch"] or 0))
        self.reported = len(rows)


def _rows(trainer: L.Trainer) -> Rows:
    (history,) = (callback for callback in trainer.callbacks if isinstance(callback, History))  # type: ignore[attr-defined]
    return history.rows
