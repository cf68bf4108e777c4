"""last.ckpt after each epoch, and best.ckpt from the epoch with the best monitored metric."""

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
    """Save a checkpoint after each epoch. The process with rank 0 replaces the files atomically.

    Args:
        folder: folder of the two files.
        monitor: metric that determines the best epoch; None saves last.ckpt only.

    Raises:
        Diverged: a metric or a weight is not finite at the end of an epoch.
        UserError: a checkpoint cannot be written.
    """

    def __init__(self, folder: Path, monitor: str | None) -> None:
        self.folder, self.monitor = folder, monitor
        self.last_path, self.best_path = folder / "last.ckpt", folder / "best.ckpt"
        self.best_epoch: int | None = None
        self.best: list[float] | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"best_epoch": self.best_epoch, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_epoch, self.best = state_dict["best_epoch"], state_dict["best"]

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        for name, metric in metrics.items():
            if not math.isfinite(metric):
                raise diverged(name, trainer.current_epoch, trainer.global_step)
        if not all(weight.isfinite().all() for weight in pl_module.parameters()):
            raise diverged("a weight", trainer.current_epoch, trainer.global_step)
        score = self._score(metrics)
        improved = score is not None and (self.best is None or score > self.best)
        if improved:
            self.best_epoch, self.best = trainer.current_epoch + 1, score
        try:
            self._save(trainer, improved)
        except (OSError, RuntimeError) as error:  # torch.save raises RuntimeError if the disk is full
            for partial in self.folder.glob("*.part"):
                partial.unlink(missing_ok=True)  # another process may have deleted it
            raise UserError(f"{self.last_path} cannot be written: {error}") from error
        trainer.strategy.barrier()  # all processes read the files for the test, which may follow

    def _save(self, trainer: L.Trainer, improved: bool) -> None:
        last, best = (path.with_suffix(".part") for path in (self.last_path, self.best_path))
        trainer.save_checkpoint(last)  # collective: every process must call it
        if not trainer.is_global_zero:
            return
        if improved:
            shutil.copyfile(last, best)
            os.replace(best, self.best_path)
        os.replace(last, self.last_path)

    def _score(self, metrics: dict[str, float]) -> list[float] | None:
        """Return a score that is higher for better epochs; the loss decides between epochs with equal accuracy."""
        if self.monitor is None:
            return None
        stage, _, metric = self.monitor.partition("/")
        loss = -metrics[f"{stage}/loss"]
        return [loss] if metric == "loss" else [metrics[self.monitor], loss]
