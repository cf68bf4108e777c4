"""The figures of a run, in its folder and in TensorBoard."""

import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import lightning as L
import torch
from matplotlib.figure import Figure
from PIL import Image

from cnnlab.config.schema import TrainConfig
from cnnlab.data.datamodule import ImageDataModule
from cnnlab.figures.augmented import mixture_of
from cnnlab.figures.class_distribution import draw_class_distribution
from cnnlab.figures.confusion import confusion_figure
from cnnlab.figures.curves import draw_curves
from cnnlab.figures.filters import draw_filters
from cnnlab.figures.image_grid import draw_image_grid
from cnnlab.figures.labels import class_labels
from cnnlab.figures.loss_curve import draw_step_losses
from cnnlab.figures.mistakes import draw_mistakes
from cnnlab.figures.norm_curves import draw_layer_norms
from cnnlab.figures.style import pixels
from cnnlab.files import write_atomically
from cnnlab.preprocessing import denormalize
from cnnlab.rendering.numbers import percent
from cnnlab.runs.predictions import Predictions
from cnnlab.training.callbacks import FirstFilters, LayerNorms, Recorder, StepLosses
from cnnlab.training.callbacks.history import Row
from cnnlab.training.callbacks.recorder import writer_of
from cnnlab.training.classifier import ImageClassifier

IMAGES = 32  # augmented training images, if no logger says otherwise
MISTAKES = 24
SETS = {"test": "test", "val": "validation"}


class RunFigures:
    """Draws the figures of a run; a figure that cannot be drawn or written is a warning.

    Args:
        cfg: the run's configuration.
        folder: of the figures.
        trainer: its TensorBoard logger, if it has one, gets the figures too.
        attempt: runs a function, and reports an error in it with the text before.
    """

    def __init__(
        self, cfg: TrainConfig, folder: Path, trainer: L.Trainer, attempt: Callable[[str, Callable[[], object]], None]
    ) -> None:
        self.cfg, self.folder, self.trainer, self.attempt = cfg, folder, trainer, attempt
        self.title = f"{cfg.name}, seed {cfg.seed}"

    def before(self, data: ImageDataModule, model: ImageClassifier) -> None:
        """Draw the training images as the network sees them, and the sizes of the classes."""
        logger = self.cfg.logger.tensorboard
        count = IMAGES if logger is None else logger.images
        if count:
            self._draw("inputs", lambda: _inputs(data, model, count), tag="inputs/augmented")
        self._draw("class_distribution", lambda: _class_distribution(data))

    def after(self, rows: Sequence[Row], best_epoch: int | None, recorders: Sequence[Recorder]) -> None:
        """Draw what training recorded."""
        self._draw("curves", lambda: draw_curves(rows, self.title, best_epoch))
        for recorder in recorders:
            match recorder:
                case StepLosses(steps=steps, losses=losses) if len(steps):
                    self._draw("loss_by_step", partial(draw_step_losses, steps, losses, self.title))
                case LayerNorms(layers=[_, *_]):
                    norms = (recorder.weights, recorder.gradients, recorder.layers)
                    self._draw("layer_norms", partial(draw_layer_norms, *norms, self.title))
                case FirstFilters(epochs=[_, *_]):
                    filters = [kernels for _, kernels in recorder.filters]
                    self._draw("filters", partial(draw_filters, filters, recorder.epochs, recorder.layer))

    def predictions(self, found: Predictions, data: ImageDataModule) -> None:
        """Draw the confusion matrix, and the mistakes if there are any."""
        classes = data.spec.classes
        accuracy = percent((found.predicted == found.labels).double().mean().item())
        images = f"{len(found.labels):,} {SETS[found.split]} images"
        title = f"{self.title}: {accuracy} of {images}"
        self._draw("confusion", lambda: confusion_figure(found.confusion(), classes, title))
        if len(mistakes := found.most_confident_mistakes(MISTAKES)):
            self._draw("mistakes", lambda: _mistakes(found, mistakes, data, images))

    def _draw(self, name: str, draw: Callable[[], Figure], tag: str = "") -> None:
        def write() -> None:
            image = pixels(draw())
            file = io.BytesIO()
            Image.fromarray(image).save(file, "png")
            write_atomically(self.folder / f"{name}.png", file.getvalue())
            if (writer := writer_of(self.trainer)) is not None:
                writer.add_image(tag or f"figures/{name}", image, self.trainer.global_step, dataformats="HWC")

        self.attempt(f"the figure {name}.png", write)


def _inputs(data: ImageDataModule, model: ImageClassifier, count: int) -> Figure:
    """The first images of the first batch after augmentation, with the classes of their targets."""
    batch = next(iter(data.train_dataloader()))
    with torch.no_grad():
        x, targets = model.augmented(batch, 0)
    names = class_labels(data.spec.classes)
    captions = [names[target] if target.ndim == 0 else mixture_of(target, names) for target in targets[:count]]
    images = denormalize(x[:count], data.spec)
    return draw_image_grid(images, captions, title="augmented training images, the first of the first batch")


def _class_distribution(data: ImageDataModule) -> Figure:
    sets = {"training": data.train, "validation": data.val, "test": data.test}
    n = len(data.spec.classes)
    counts = {name: torch.bincount(subset.labels, minlength=n).tolist() for name, subset in sets.items()}
    return draw_class_distribution(counts, data.spec.classes, f"{data.name}: images of each class")


def _mistakes(found: Predictions, positions: torch.Tensor, data: ImageDataModule, images: str) -> Figure:
    wrong = int((found.predicted != found.labels).sum())
    some = f"{len(positions)} of {wrong:,}" if wrong > len(positions) else f"all {wrong}"
    title = f"most confident mistakes, {some}, in {images}: true class, predicted class, its probability"
    subset = data.test if found.split == "test" else data.val
    return draw_mistakes(
        subset[positions][0],
        found.labels[positions],
        found.predicted[positions],
        found.confidence[positions],
        data.spec.classes,
        title,
    )
