"""The training loss by step."""

import math
from typing import Any

import lightning as L
import torch
from torch import Tensor

from cnnlab.training.callbacks.recorder import Recorder, writer_of

TAG = "train/loss_by_step"


class StepLosses(Recorder):
    """Record the loss of evenly spaced steps. It is read from the device once per epoch.

    Args:
        per_epoch: the most steps recorded in an epoch.

    Attributes:
        steps: number of optimizer steps up to each recorded one, (N,).
        losses: mean loss of its batch, (N,).
    """

    def __init__(self, per_epoch: int = 200) -> None:
        self.per_epoch = per_epoch
        self.steps = torch.zeros(0, dtype=torch.int64)
        self.losses = torch.zeros(0)
        self._epoch: list[tuple[int, Tensor]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "losses": self.losses}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.steps, self.losses = state_dict["steps"], state_dict["losses"]

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._epoch = []

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        interval = math.ceil(trainer.num_training_batches / self.per_epoch)
        if batch_idx % interval == 0:
            self._epoch.append((trainer.global_step, outputs["loss"].detach()))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not self._epoch:
            return
        steps, losses = zip(*self._epoch, strict=True)
        mean = trainer.strategy.reduce(torch.stack(losses).float(), reduce_op="mean")  # over the processes
        assert isinstance(mean, Tensor)
        new = (torch.tensor(steps), mean.cpu())
        self.steps, self.losses = torch.cat((self.steps, new[0])), torch.cat((self.losses, new[1]))
        self._log(trainer, *new)

    def log_all(self, trainer: L.Trainer) -> None:
        self._log(trainer, self.steps, self.losses)

    @staticmethod
    def _log(trainer: L.Trainer, steps: Tensor, losses: Tensor) -> None:
        if (writer := writer_of(trainer)) is not None:
            for step, loss in zip(steps.tolist(), losses.tolist(), strict=True):
                writer.add_scalar(TAG, loss, step)
