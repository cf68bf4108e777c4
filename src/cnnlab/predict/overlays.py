"""Where a network looks in each predicted image: one figure per file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from cnnlab.explain.attribution import NAMES, attribution_map, baseline_of
from cnnlab.figures.overlay import draw_overlay
from cnnlab.files import free_path
from cnnlab.predict.prediction import PredictedBatch, Prediction, Predictor
from cnnlab.preprocessing import denormalize

CHUNK = 32  # images whose maps are computed together; a gradient needs the memory of all feature maps


@dataclass
class Overlays:
    """Draws the map of `method` for the predicted class of each image over the image.

    Attributes:
        method: see `explain.attribution.METHODS`.
        folder: of the figures, each named as its file.
        paths: the figures so far.
    """

    predictor: Predictor
    method: str
    folder: Path
    paths: list[Path] = field(default_factory=list)

    def draw(self, batch: PredictedBatch, predictions: Sequence[Prediction]) -> None:
        """Draw the images of `batch` that can be read.

        Raises:
            ValueError: the method is not for this network.
            OSError: a figure cannot be written.
        """
        readable = [prediction for prediction in predictions if prediction.is_readable]
        if not readable:
            return
        trained, device = self.predictor.trained, self.predictor.machine.device
        baseline = baseline_of(trained.preprocess.spec).to(device)
        for start in range(0, len(readable), CHUNK):
            chunk = readable[start : start + CHUNK]
            x = trained.preprocess(batch.pixels[start : start + CHUNK].to(device))
            classes = torch.tensor([prediction.classes[0] for prediction in chunk], device=device)
            maps = attribution_map(trained.net, x, classes, self.method, baseline)
            images = denormalize(x, trained.preprocess.spec).cpu()
            for prediction, image, values in zip(chunk, images, maps.cpu(), strict=True):
                guess = f"{trained.classes[prediction.classes[0]]} ({100 * prediction.probabilities[0]:.1f} %)"
                title = f"{NAMES[self.method]} for {guess}; {Path(prediction.file).name}, {trained.name}"
                name = f"{self.method}_{Path(prediction.file).stem}.png"
                path = free_path(self.folder / name, self.paths)
                self.paths.append(draw_overlay(image, values, title, path))
