"""A run's predictions for each image of its last evaluation, in `predictions.npz`."""

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cnnlab.data.datamodule import Subset
from cnnlab.files import write_atomically

LARGEST = 65504.0  # of float16


@dataclass(frozen=True)
class Predictions:
    """The logits of the images of a set, with the weights that are the run's result.

    Attributes:
        split: `test`, or `val` for a run that was not tested.
        indices: of the N images in the dataset's test images, or in its training images for `val`.
        labels: true classes, (N,).
        predicted: predicted classes, (N,).
        logits: (N, num_classes); a file has them in float16.
    """

    split: str
    indices: Tensor
    labels: Tensor
    predicted: Tensor
    logits: Tensor

    @classmethod
    def of(cls, split: str, subset: Subset, logits: Tensor) -> "Predictions":
        """The predictions for the first images of `subset`, as many as there are logits."""
        n = len(logits)
        return cls(split, subset.indices[:n], subset.labels[:n], logits.argmax(1), logits)

    @property
    def confidence(self) -> Tensor:
        """The probabilities (N,) of the predicted classes."""
        return self.logits.float().softmax(1).amax(1)

    def confusion(self) -> Tensor:
        """The numbers of images (num_classes, num_classes), by true and predicted class."""
        n = self.logits.shape[1]
        return torch.bincount(self.labels * n + self.predicted, minlength=n * n).view(n, n)

    def most_confident_mistakes(self, count: int) -> Tensor:
        """The positions of at most `count` images with another class than predicted, the most confident first."""
        wrong = (self.predicted != self.labels).nonzero().flatten()
        return wrong[self.confidence[wrong].argsort(descending=True, stable=True)[:count]]

    def save(self, path: Path) -> None:
        """Replace the file `path`."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            split=np.array(self.split),
            indices=self.indices.numpy().astype(np.int32),
            labels=self.labels.numpy().astype(np.int32),
            predicted=self.predicted.numpy().astype(np.int32),
            logits=self.logits.clamp(-LARGEST, LARGEST).numpy().astype(np.float16),
        )
        write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Read a file that `save` wrote.

        Raises:
            ValueError: the file is damaged, or is none of these.
            OSError: it cannot be read.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
                indices, labels, predicted = (
                    torch.from_numpy(content[name]).long() for name in ("indices", "labels", "predicted")
                )
                logits = torch.from_numpy(content["logits"]).float()
                return cls(str(content["split"]), indices, labels, predicted, logits)
        except (KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
