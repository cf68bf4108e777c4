"""The filters of the first convolution, by epoch."""

from typing import Any

import lightning as L
from torch import Tensor, nn

from cnnlab.figures.filters import draw_filter_grid
from cnnlab.training.callbacks.recorder import Recorder, writer_of
from cnnlab.training.classifier import ImageClassifier

MOST_EPOCHS = 10
MOST_FILTERS = 32
TAG = "filters/first_layer"


class FirstFilters(Recorder):
    """Record the first convolution's filters before training and after about ten evenly spaced epochs.

    Attributes:
        layer: name of the layer; empty for a network without convolutions.
        epochs: 0 for the initial filters; the last entry is that of the last epoch.
        filters: for each entry of `epochs`, its optimizer steps and the filters (F, C, K, K).
    """

    def __init__(self) -> None:
        self.layer = ""
        self.epochs: list[int] = []
        self.filters: list[tuple[int, Tensor]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"layer": self.layer, "epochs": self.epochs, "filters": self.filters}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.layer, self.epochs = state_dict["layer"], list(state_dict["epochs"])
        self.filters = [(step, filters) for step, filters in state_dict["filters"]]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not self.epochs and trainer.current_epoch == 0:
            self._record(trainer, pl_module, 0)
        super().on_train_start(trainer, pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        if self.epochs and not _is_chosen(self.epochs[-1], trainer.max_epochs or 1):
            del self.epochs[-1], self.filters[-1]  # was only the last one so far
        if self._record(trainer, pl_module, epoch) and _is_chosen(epoch, trainer.max_epochs or 1):
            self._log(trainer, -1)

    def _record(self, trainer: L.Trainer, pl_module: L.LightningModule, epoch: int) -> bool:
        assert isinstance(pl_module, ImageClassifier)
        found = first_convolution(pl_module.net)
        if found is None:
            return False
        self.layer, weight = found
        self.epochs.append(epoch)
        self.filters.append((trainer.global_step, weight.detach()[:MOST_FILTERS].float().cpu().clone()))
        return True

    def log_all(self, trainer: L.Trainer) -> None:
        for number in range(len(self.epochs)):
            self._log(trainer, number)

    def _log(self, trainer: L.Trainer, number: int) -> None:
        if (writer := writer_of(trainer)) is not None:
            step, filters = self.filters[number]
            writer.add_image(TAG, draw_filter_grid(filters), step)


def first_convolution(net: nn.Module) -> tuple[str, Tensor] | None:
    """The name and the weight (F, C, K, K) of the first convolution, in the order of creation; None without any."""
    named = net.named_parameters()
    return next(((name.removesuffix(".weight"), weight) for name, weight in named if weight.ndim == 4), None)


def _is_chosen(epoch: int, epochs: int) -> bool:
    """Whether `epoch` is one of MOST_EPOCHS evenly spaced ones, or the first state."""
    return epoch == 0 or epoch * MOST_EPOCHS // epochs > (epoch - 1) * MOST_EPOCHS // epochs
