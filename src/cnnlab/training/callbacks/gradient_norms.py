"""How large the gradient is in each layer: whether it fades, or grows, on its way back to the first one."""

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cnnlab.training.classifier import ImageClassifier


class GradientNorms(L.Callback):
    """Measures the L2 norm of the loss's gradient in each of a network's `layer_weights`.

    Args:
        every: the first step of each epoch is measured, and each `every`-th after it.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self._weights: dict[str, nn.Parameter] = {}
        self._norms: list[Tensor] = []  # of all layers, an entry a measured step
        self._steps = 0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, ImageClassifier)
        self._weights = layer_weights(pl_module.net)
        self._norms, self._steps = [], 0

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer) -> None:
        """Lightning has taken the scale of float16 out of the gradients here, and has not clipped them yet."""
        if self._steps % self.every == 0:
            gradients = [weight.grad for weight in self._weights.values()]
            zero = torch.zeros((), device=pl_module.device)  # what the loss does not depend on has no gradient
            self._norms.append(torch.stack([zero if gradient is None else gradient.norm() for gradient in gradients]))
        self._steps += 1

    def means(self) -> dict[str, float | None]:
        """The epoch's mean of each layer, by `gradient/<layer>`; None where float16 overflowed in each measured step.

        Such a step changes no weight, so it does not count.
        """
        norms = torch.stack(self._norms)
        finite = norms[norms.isfinite().all(1)]
        means = finite.double().mean(0).tolist() if len(finite) else [None] * len(self._weights)
        return {f"gradient/{name}": mean for name, mean in zip(self._weights, means, strict=True)}


def layer_weights(net: nn.Module) -> dict[str, nn.Parameter]:
    """The weights of convolutions and fully connected layers, which have two or more dimensions, by the layer's name.

    In the order in which the network makes them, which is that of its depth.
    """
    named = net.named_parameters()
    return {name.removesuffix(".weight"): weight for name, weight in named if weight.ndim > 1 and weight.requires_grad}
