"""Class probabilities of image files: files in, predictions out, batch by batch."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnlab.machine.setup import Machine
from cnnlab.predict.decoding import Decoded, decoded_batches
from cnnlab.preprocessing import Prepared
from cnnlab.runs.evaluation import predict_logits
from cnnlab.runs.trained_network import Trained

# After a pause, the threads of a forward pass sleep, and its weights are not in the CPU's cache. A small network is
# faster if images of this many bytes are decoded before its next forward passes.
DECODED_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Prediction:
    """What a network says about one file.

    Attributes:
        file: its path.
        classes: indices of the most probable classes, most probable first; empty if the file cannot be read.
        probabilities: of these classes.
        notes: what was done to the image, or why it cannot be read.
    """

    file: str
    classes: tuple[int, ...]
    probabilities: tuple[float, ...]
    notes: tuple[str, ...]

    @property
    def is_readable(self) -> bool:
        return bool(self.classes)


@dataclass
class Seconds:
    """Time spent so far, in seconds."""

    decoding: float = 0.0
    forward: float = 0.0


@dataclass(frozen=True)
class PredictedBatch:
    """A batch of files, and the logits (n, num_classes) of the n among them that can be read, on the CPU."""

    images: Sequence[Decoded]
    logits: Tensor

    @property
    def pixels(self) -> Tensor:
        """The images that can be read, as uint8 (n, C, H, W)."""
        return torch.stack([image.pixels for image in self.images if image.pixels is not None])

    def predictions(self, top: int) -> list[Prediction]:
        """One prediction per file, with at most `top` classes."""
        order = self.logits.argsort(dim=1, descending=True, stable=True)[:, :top]  # the first of equals, as argmax
        probabilities = self.logits.double().softmax(dim=1).gather(1, order)
        rows = iter(zip(order.tolist(), probabilities.tolist(), strict=True))
        found = []
        for image in self.images:
            classes, values = next(rows) if image.pixels is not None else ((), ())
            found.append(Prediction(image.file, tuple(classes), tuple(values), image.notes))
        return found


@dataclass(frozen=True)
class Predictor:
    """A trained network, and how files reach it; see `Preprocessing.prepare` for `fit` and `invert`.

    Attributes:
        tta: views of an image over which predictions are averaged; see `augment.views.logits_of_views`.
        batch_size: images per forward pass. If they are small, several batches are decoded together.
    """

    trained: Trained
    machine: Machine
    fit: str = "crop"
    invert: str = "auto"
    tta: str = "none"
    batch_size: int = 500

    def batches(self, files: Sequence[str], seconds: Seconds | None = None) -> Iterator[PredictedBatch]:
        """Predict `files` in order.

        Args:
            seconds: receives the time of decoding and of the forward pass.

        Raises:
            ValueError: `fit` or `invert` is unknown.
        """
        seconds = Seconds() if seconds is None else seconds
        ahead = 1 if self.machine.device == "cuda" else 0
        if self.trained.preprocess.spec.drawing is not None:
            import cnnlab.preprocessing.drawing  # noqa: F401  its SciPy takes a second, which is not decoding
        preprocess = self.trained.preprocess
        bytes_per_image = preprocess.spec.in_channels * preprocess.stored_size**2
        together = max(self.batch_size, DECODED_BYTES // bytes_per_image)
        decoding = decoded_batches(files, self._prepare, together, ahead)
        began = time.perf_counter()
        for images in decoding:
            readable = [image.pixels for image in images if image.pixels is not None]
            pixels = torch.stack(readable).split(self.batch_size) if readable else ()
            seconds.decoding += time.perf_counter() - began
            began = time.perf_counter()
            if pixels:
                logits = predict_logits(self.trained, pixels, self.machine, self.tta)
            else:
                logits = torch.empty(0, len(self.trained.classes))
            seconds.forward += time.perf_counter() - began
            yield PredictedBatch(images, logits)
            began = time.perf_counter()

    def _prepare(self, file: str) -> Prepared:
        return self.trained.preprocess.prepare(file, self.fit, self.invert)
