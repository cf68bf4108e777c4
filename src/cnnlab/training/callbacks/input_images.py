"""Augmented training images and the network's graph, for TensorBoard."""

import warnings
from collections.abc import Iterable

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torchvision.utils import make_grid

from cnnlab.augment.pipeline import denormalize
from cnnlab.data.datamodule import IndexedBatch
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
        if trainer.train_dataloader is not None:
            self.write(trainer, pl_module, trainer.train_dataloader)

    def write(self, trainer: L.Trainer, model: ImageClassifier, batches: Iterable[IndexedBatch]) -> None:
        """Log the first of `batches` to the first TensorBoard logger of `trainer`."""
        loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        if not loggers:
            return
        writer = loggers[0].experiment
        images, labels, indices = (tensor.to(model.device) for tensor in next(iter(batches)))
        with torch.no_grad():
            x, _ = model.augmented((images, labels, indices), 0)
        if self.images:
            grid = make_grid(denormalize(x[: self.images], model.augmentation.spec), nrow=8, padding=1)
            writer.add_image("inputs/augmented", grid, global_step=trainer.global_step)
        if self.graph:
            self._add_graph(writer, model.net, x[:1])

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
