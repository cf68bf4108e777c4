"""Metrics of each epoch: one row in metrics.csv, in TensorBoard and in the checkpoint."""

import csv
import io
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint

from cnnlab.files import write_atomically
from cnnlab.training.callbacks.gradient_norms import GradientNorms

MEASURED = ("train/loss", "train/acc", "val/loss", "val/acc")
NOT_CURVES = ("epoch", "step", "seconds")

Row = dict[str, float | int | None]


class History(Checkpoint):
    """Record one row per epoch, save the rows in the checkpoint, and rewrite `path` from them after each epoch.

    A resumed run therefore has each epoch exactly once. The class derives from Checkpoint because Lightning calls
    checkpoint callbacks last, in the order of the list: after the module has logged its metrics, and before
    `Checkpoints` if it comes first. The columns of a GradientNorms callback follow the others.

    Args:
        path: the CSV file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        self._start = self._end = self._seen = 0.0
        self._images = 0

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.log_all(trainer)
        if hasattr(signal, "SIGCONT") and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCONT, self._exclude_pause)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if hasattr(signal, "SIGCONT") and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCONT, signal.SIG_DFL)

    def _exclude_pause(self, signum: int, frame: FrameType | None) -> None:
        """Count only the time until the last step as training, if the process was stopped (SIGSTOP) after it."""
        now = time.perf_counter()
        self._start, self._seen = self._start + now - self._seen, now

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._start = self._seen = time.perf_counter()
        self._images = 0

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._end = self._seen = time.perf_counter()
        self._images += len(batch[1])

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        seconds = self._end - self._start
        measured = {name: float(value) for name, value in trainer.callback_metrics.items() if name in MEASURED}
        row: Row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            **{name: measured.get(name) for name in MEASURED},
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "images_per_second": self._images / seconds,
            "seconds": seconds,
        }
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, GradientNorms):
                row |= callback.means()
        self.rows.append(row)
        self._log(trainer, row)
        if trainer.is_global_zero:
            self._write()

    def _write(self) -> None:
        text = io.StringIO()
        columns = dict.fromkeys(name for row in self.rows for name in row)  # a resumed run can have new columns
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomically(self.path, text.getvalue())

    def log_all(self, trainer: L.Trainer) -> None:
        """Log all epochs. The loggers start with new files each time a run is resumed."""
        for row in self.rows:
            self._log(trainer, row)

    @staticmethod
    def _log(trainer: L.Trainer, row: Row) -> None:
        scalars = {name: value for name, value in row.items() if value is not None and name not in NOT_CURVES}
        for logger in trainer.loggers:
            logger.log_metrics(scalars, step=int(row["step"] or 0))
