"""Augmented training images and the network's graph, for TensorBoard."""

import warnings

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torchvision.utils import make_grid

from cnnlab.augment.pipeline import denormalize
from cnnlab.training.classifier import ImageClassifier


class InputImages(L.Callback):
    """Log the first images of the first batch, as the network sees them, and the network's graph.

    Args:
        images: number of images; 0 for none.
        graph: log the graph.
    """

    def __init__(self, images: int, graph: bool) -> None:
        self.images, self.graph = images, graph

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, ImageClassifier)
        loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        if not loggers or trainer.train_dataloader is None:
            return
        writer = loggers[0].experiment
        images, labels, indices = (tensor.to(pl_module.device) for tensor in next(iter(trainer.train_dataloader)))
        with torch.no_grad():
            x, _ = pl_module.augmented((images, labels, indices), 0)
        if self.images:
            grid = make_grid(denormalize(x[: self.images], pl_module.augmentation.spec), nrow=8, padding=1)
            writer.add_image("inputs/augmented", grid, global_step=trainer.global_step)
        if self.graph:
            self._add_graph(writer, pl_module.net, x[:1])

    @staticmethod
    def _add_graph(writer, net: torch.nn.Module, x: torch.Tensor) -> None:  # type: ignore[no-untyped-def]
        training = net.training
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the tracer warns about its deprecation and about every Python branch
                writer.add_graph(net.eval(), x)
        except (RuntimeError, TypeError, ValueError) as error:
            warnings.warn(f"the network's graph could not be logged: {error}", stacklevel=2)
        finally:
            net.train(training)
