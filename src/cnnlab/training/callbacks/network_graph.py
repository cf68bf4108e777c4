"""The network's graph, for TensorBoard."""

import json
import tempfile
import warnings
from collections.abc import Iterable
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard import SummaryWriter

from cnnlab.data.datamodule import IndexedBatch
from cnnlab.training.classifier import ImageClassifier


class NetworkGraph(L.Callback):
    """Log the network's graph when training starts."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, ImageClassifier)
        if trainer.train_dataloader is not None:
            self.write(trainer, pl_module, trainer.train_dataloader)

    @staticmethod
    def write(trainer: L.Trainer, model: ImageClassifier, batches: Iterable[IndexedBatch]) -> None:
        """Log the graph, for an image of the first of `batches`, to the first TensorBoard logger of `trainer`."""
        loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        if not loggers or not trainer.is_global_zero:  # the other processes have a writer that does nothing
            return
        images, labels, indices = (tensor.to(model.device) for tensor in next(iter(batches)))
        with torch.no_grad():
            x, _ = model.augmented((images, labels, indices), 0)
        try:
            loggers[0].experiment.file_writer.add_graph(_graph_of(model, x[:1]))
        except (RuntimeError, TypeError, ValueError) as error:
            warnings.warn(f"the network's graph could not be logged: {error}", stacklevel=2)


class _Catch:
    """Takes the place of a writer's file, and keeps the graph that would be written there."""

    def add_graph(self, graph: Any, walltime: float | None = None) -> None:
        self.graph = graph


def _graph_of(model: ImageClassifier, x: torch.Tensor) -> Any:
    """The graph of a network, as TensorBoard's files hold it.

    torch keeps about a megabyte of each trace for as long as the process lives, so that the jobs of a sweep share the
    graphs of equal networks.
    """
    network = json.dumps(model.card.get("network"), sort_keys=True)
    if network not in _GRAPHS or not model.card:
        catch, training = _Catch(), model.net.training
        with tempfile.TemporaryDirectory() as folder, SummaryWriter(folder) as writer, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer warns about its deprecation and about every Python branch
            file, writer.file_writer = writer.file_writer, catch
            try:
                writer.add_graph(model.net.eval(), x)
            finally:
                writer.file_writer = file
                model.net.train(training)
        _GRAPHS[network] = catch.graph
    return _GRAPHS[network]


_GRAPHS: dict[str, Any] = {}
