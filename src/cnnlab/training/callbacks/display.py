"""What a run shows: a progress bar in a terminal, and one line an epoch there and in a pipe."""

import math
import time
from collections.abc import Callable
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from torch import nn

from cnnlab.data.datamodule import ImageDataModule
from cnnlab.rendering.numbers import duration, speed
from cnnlab.training.callbacks.history import History, Row

LARGEST_MARGIN = 0.1  # of three standard deviations; with fewer images an accuracy cannot be told from chance
NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


class Display(Checkpoint):
    """Follows `history`; it is a Checkpoint to Lightning only so that it is called after it.

    Args:
        say: prints one line, in the terminal above the bar, and in the log.
    """

    def __init__(self, history: History, log: Callable[[str], None], console: Console | None = None) -> None:
        self.history, self.log_line = history, log
        self.console = console or Console()
        self.progress: Progress | None = None
        self.task = TaskID(0)
        self._began = 0.0
        self._steps = self._total = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._began, self._steps = time.perf_counter(), 0
        self._total = pl_module.total_steps() - trainer.global_step  # type: ignore[operator]
        if self.console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed}/{task.total}  loss {task.fields[loss]}  {task.fields[pace]}"),
            )
            self.progress = Progress(*columns, console=self.console, transient=True)
            self.progress.start()
            self.task = self.progress.add_task("", loss="", pace="")

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.progress:
            description = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            self.progress.reset(self.task, total=int(trainer.num_training_batches), description=description)
        self._epoch_began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._steps += 1
        if self.progress and (batch_idx % 10 == 0 or batch_idx + 1 == trainer.num_training_batches):
            rate = len(batch[1]) * (batch_idx + 1) / (time.perf_counter() - self._epoch_began)
            pace = f"{speed(rate)} images/s  {duration(self._left())} left"
            loss = f"{float(outputs['loss']):.3f}"
            self.progress.update(self.task, completed=batch_idx + 1, loss=loss, pace=pace)

    def _left(self) -> float:
        """Seconds to the end of training at the mean pace so far."""
        return (time.perf_counter() - self._began) / max(self._steps, 1) * (self._total - self._steps)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        row = self.history.rows[-1]
        self.log_line(epoch_line(row, trainer.max_epochs or 0, self._left()))
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        if row["epoch"] == 1 and isinstance(datamodule, ImageDataModule):
            self._warn_at_chance(row, datamodule, pl_module.net)  # type: ignore[arg-type]

    def _warn_at_chance(self, row: Row, datamodule: ImageDataModule, net: nn.Module) -> None:
        stage = "val" if row["val/acc"] is not None else "train"
        labels = (datamodule.val if stage == "val" else datamodule.train).labels
        chance = labels.bincount().max().item() / len(labels)
        accuracy = row[f"{stage}/acc"] or 0.0
        margin = 3 * math.sqrt(chance * (1 - chance) / len(labels))
        if margin <= LARGEST_MARGIN and accuracy <= chance + margin:
            has_norm = any(isinstance(module, NORMS) for module in net.modules())
            self.log_line(
                f"warning: after one epoch {stage}/acc is {accuracy:.1%}, no better than always predicting the most "
                f"frequent class ({chance:.1%}); try another optimizer.lr"
                + ("" if has_norm else ", or a network with batch norm")
            )

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._stop()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self._stop()

    def _stop(self) -> None:
        if self.progress:
            self.progress.stop()
            self.progress = None


def epoch_line(row: Row, epochs: int, left: float) -> str:
    """One epoch in one line."""
    parts = [f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}"]
    for stage in ("train", "val"):
        if row[f"{stage}/loss"] is not None:
            loss = row[f"{stage}/loss"] or 0.0
            shown = f"{loss:6.4f}" if loss < 1e4 else f"{loss:.1e}"
            parts.append(f"{stage} loss {shown} acc {100 * (row[f'{stage}/acc'] or 0):6.2f} %")
    parts += [f"lr {row['lr']:.2e}", f"{speed(row['images_per_second'] or 0):>7} images/s", f"{duration(left)} left"]
    return "  ".join(parts)
