"""checkpoints/last.ckpt after each epoch, checkpoints/best.ckpt where the monitored metric was best."""

import math
import os
import shutil
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint

from cnnlab.errors import UserError
from cnnlab.training.classifier import diverged


class Checkpoints(Checkpoint):
    """Saves after each epoch whose metrics are finite; each file is replaced in one move, by a run's first process.

    Args:
        folder: of the two files.
        monitor: the metric whose best epoch is kept; None keeps the last one only.
    """

    def __init__(self, folder: Path, monitor: str | None) -> None:
        self.folder, self.monitor = folder, monitor
        self.best_epoch: int | None = None
        self.best: list[float] | None = None

    @property
    def last_path(self) -> Path:
        return self.folder / "last.ckpt"

    @property
    def best_path(self) -> Path:
        return self.folder / "best.ckpt"

    def state_dict(self) -> dict[str, Any]:
        return {"best_epoch": self.best_epoch, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_epoch, self.best = state_dict["best_epoch"], state_dict["best"]

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise diverged(name, trainer.current_epoch, trainer.global_step)
        if not all(value.isfinite().all() for value in pl_module.parameters()):
            raise diverged("a weight", trainer.current_epoch, trainer.global_step)
        score = self._score(metrics)
        improved = score is not None and (self.best is None or score > self.best)
        if improved:
            self.best_epoch, self.best = trainer.current_epoch + 1, score
        try:
            self._save(trainer, improved)
        except (OSError, RuntimeError) as error:  # torch's writer reports a full disk as a RuntimeError
            for partial in self.folder.glob("*.part"):
                partial.unlink(missing_ok=True)  # another process may be first
            raise UserError(f"{self.last_path} cannot be written: {error}") from error
        trainer.strategy.barrier()  # the test follows, and all processes read the files for it

    def _save(self, trainer: L.Trainer, improved: bool) -> None:
        last, best = (path.with_suffix(".part") for path in (self.last_path, self.best_path))
        trainer.save_checkpoint(last)  # for which all processes meet
        if not trainer.is_global_zero:
            return
        if improved:
            shutil.copyfile(last, best)
            os.replace(best, self.best_path)
        os.replace(last, self.last_path)

    def _score(self, metrics: dict[str, float]) -> list[float] | None:
        """The higher the better. Few images make equal accuracies likely; the loss then decides."""
        if self.monitor is None:
            return None
        stage, _, metric = self.monitor.partition("/")
        loss = -metrics[f"{stage}/loss"]
        return [loss] if metric == "loss" else [metrics[self.monitor], loss]
