"""Progress of a run: a progress bar if the output is a terminal, and one line per epoch."""

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

LARGEST_MARGIN = 0.1  # no warning if three standard deviations exceed it: there are too few images
FEW_STEPS = 200  # after which every recorded network is above chance on MNIST (docs/first_200_steps.md)
NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


class Display(Checkpoint):
    """Show the progress of training and the rows of `history`.

    The class derives from Checkpoint so that Lightning calls it after `history`.

    Args:
        history: must come before this callback in the Trainer's list.
        log: prints one line above the progress bar and writes it to the log file.
        console: the console of the progress bar; standard output by default.
    """

    def __init__(self, history: History, log: Callable[[str], None], console: Console | None = None) -> None:
        self.history, self.log_line = history, log
        self.console = console or Console()
        self.progress: Progress | None = None
        self.task = TaskID(0)
        self._start = self._epoch_start = 0.0
        self._steps = self._total = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._start, self._steps = time.perf_counter(), 0
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
        self._epoch_start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._steps += 1
        if self.progress and (batch_idx % 10 == 0 or batch_idx + 1 == trainer.num_training_batches):
            images_per_second = len(batch[1]) * (batch_idx + 1) / (time.perf_counter() - self._epoch_start)
            pace = f"{speed(images_per_second)} images/s  {duration(self._remaining())} left"
            loss = f"{float(outputs['loss']):.3f}"
            self.progress.update(self.task, completed=batch_idx + 1, loss=loss, pace=pace)

    def _remaining(self) -> float:
        """Estimate the remaining training time in seconds from the mean duration of a step."""
        return (time.perf_counter() - self._start) / max(self._steps, 1) * (self._total - self._steps)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        row = self.history.rows[-1]
        self.log_line(epoch_line(row, trainer.max_epochs or 0, self._remaining()))
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        if row["epoch"] == 1 and isinstance(datamodule, ImageDataModule):
            self._warn_at_chance(row, datamodule, pl_module.net)  # type: ignore[arg-type]

    def _warn_at_chance(self, row: Row, datamodule: ImageDataModule, net: nn.Module) -> None:
        """Warn if the accuracy is within three standard deviations of always predicting the most frequent class."""
        stage = "val" if row["val/acc"] is not None else "train"
        labels = (datamodule.val if stage == "val" else datamodule.train).labels
        chance = labels.bincount().max().item() / len(labels)
        accuracy = row[f"{stage}/acc"] or 0.0
        margin = 3 * math.sqrt(chance * (1 - chance) / len(labels))
        if margin <= LARGEST_MARGIN and accuracy <= chance + margin:
            if self._total < FEW_STEPS:
                advice = f"raise trainer.max_epochs or lower data.batch_size, as a run of {self._total} steps is short"
            else:
                has_norm = any(isinstance(module, NORMS) for module in net.modules())
                advice = "try another optimizer.lr" + ("" if has_norm else ", or a network with batch norm")
            self.log_line(
                f"warning: after one epoch {stage}/acc is {accuracy:.1%}, no better than always predicting the most "
                f"frequent class ({chance:.1%}); {advice}"
            )

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.progress:
            self.progress.stop()
            self.progress = None

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self.on_train_end(trainer, pl_module)


def epoch_line(row: Row, epochs: int, remaining: float) -> str:
    """Format the metrics of one epoch, and the `remaining` training time in seconds, as one line."""
    parts = [f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}"]
    for stage in ("train", "val"):
        if row[f"{stage}/loss"] is not None:
            loss = row[f"{stage}/loss"] or 0.0
            formatted = f"{loss:6.4f}" if loss < 1e4 else f"{loss:.1e}"
            parts.append(f"{stage} loss {formatted} acc {100 * (row[f'{stage}/acc'] or 0):6.2f} %")
    images_per_second = f"{speed(row['images_per_second'] or 0):>7} images/s"
    return "  ".join([*parts, f"lr {row['lr']:.2e}", images_per_second, f"{duration(remaining)} left"])
