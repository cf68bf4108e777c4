"""Gradient norm of each layer, which shows whether gradients vanish or explode toward the first layer."""

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cnnlab.training.classifier import ImageClassifier


class GradientNorms(L.Callback):
    """Measure the L2 norm of the loss's gradient with respect to each of the network's `layer_weights`.

    Args:
        every: interval between measured steps, starting with the first step of each epoch.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self._weights: dict[str, nn.Parameter] = {}
        self._norms: list[Tensor] = []  # (layers,) for each measured step
        self._steps = 0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, ImageClassifier)
        self._weights = layer_weights(pl_module.net)
        self._norms, self._steps = [], 0

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer) -> None:
        """Measure the gradients after Lightning has unscaled them (float16) and before it clips them."""
        if self._steps % self.every == 0:
            zero = torch.zeros((), device=pl_module.device)  # for weights without effect on the loss
            norms = [zero if weight.grad is None else weight.grad.norm() for weight in self._weights.values()]
            self._norms.append(torch.stack(norms))
        self._steps += 1

    def means(self) -> dict[str, float | None]:
        """Return the mean norm of each layer in this epoch, with the keys `gradient/<layer>`.

        Steps in which float16 overflowed are ignored, because they change no weight. If no others were measured, the
        means are None.
        """
        norms = torch.stack(self._norms)
        finite = norms[norms.isfinite().all(1)]
        means = finite.double().mean(0).tolist() if len(finite) else [None] * len(self._weights)
        return {f"gradient/{name}": mean for name, mean in zip(self._weights, means, strict=True)}


def layer_weights(net: nn.Module) -> dict[str, nn.Parameter]:
    """Return the trainable weights of convolutions and fully connected layers (two or more dimensions) by layer name.

    Layers are in the order of their creation, from the input to the output.
    """
    named = net.named_parameters()
    return {name.removesuffix(".weight"): weight for name, weight in named if weight.ndim > 1 and weight.requires_grad}
