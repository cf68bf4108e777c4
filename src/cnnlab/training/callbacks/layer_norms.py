"""Norms of each layer's weights and of its gradient, by epoch."""

import math
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.optim import Optimizer

from cnnlab.training.callbacks.gradient_norms import layer_weights
from cnnlab.training.callbacks.recorder import Recorder, writer_of
from cnnlab.training.classifier import ImageClassifier


class LayerNorms(Recorder):
    """Record the L2 norms of the network's `layer_weights` at the end of each epoch, and of their gradients.

    The gradient is that of the epoch's first step, before clipping. It is NaN where float16 overflowed. GradientNorms
    measures more steps.

    Attributes:
        layers: names of the L layers.
        steps: optimizer steps at the end of each epoch, (E,).
        weights: norms, (E, L).
        gradients: norms, (E, L).
    """

    def __init__(self) -> None:
        self.layers: list[str] = []
        self.steps = torch.zeros(0, dtype=torch.int64)
        self.weights, self.gradients = torch.zeros(0, 0), torch.zeros(0, 0)
        self._gradient: Tensor | None = None

    def state_dict(self) -> dict[str, Any]:
        names = ("layers", "steps", "weights", "gradients")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, name, value)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._gradient = None

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer) -> None:
        if self._gradient is not None or not trainer.is_global_zero:
            return
        assert isinstance(pl_module, ImageClassifier)
        weights = layer_weights(pl_module.net).values()
        is_scaled = trainer.precision == "16-mixed" and optimizer.defaults.get("fused")  # it unscales in its step
        zero = torch.zeros((), device=pl_module.device)  # for weights without effect on the loss
        norms = torch.stack([zero if weight.grad is None else weight.grad.norm().float() for weight in weights])
        self._gradient = (
            torch.full_like(norms, torch.nan) if is_scaled else norms.masked_fill(~norms.isfinite(), torch.nan)
        )

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._gradient is None:
            return
        assert isinstance(pl_module, ImageClassifier)
        weights = layer_weights(pl_module.net)
        norms = torch.stack([weight.detach().norm().float() for weight in weights.values()])
        both = torch.stack((norms, self._gradient)).cpu()
        self.layers = list(weights)
        self.steps = torch.cat((self.steps, torch.tensor([trainer.global_step])))
        self.weights, self.gradients = (
            torch.cat((earlier.view(-1, len(weights)), new[None]))
            for earlier, new in zip((self.weights, self.gradients), both, strict=True)
        )
        self._log(trainer, len(self.steps) - 1)

    def log_all(self, trainer: L.Trainer) -> None:
        for epoch in range(len(self.steps)):
            self._log(trainer, epoch)

    def _log(self, trainer: L.Trainer, epoch: int) -> None:
        if (writer := writer_of(trainer)) is None:
            return
        step = int(self.steps[epoch])
        for kind, norms in (("weight_norms", self.weights), ("gradient_norms", self.gradients)):
            for layer, norm in zip(self.layers, norms[epoch].tolist(), strict=True):
                if not math.isnan(norm):
                    writer.add_scalar(f"{kind}/{layer}", norm, step)
