"""The predictions for each image of an evaluation, as a CSV file."""

from pathlib import Path

from torch import Tensor

from cnnlab.files import write_atomically


def write_per_image(path: Path, indices: Tensor, labels: Tensor, logits: Tensor) -> None:
    """Write index, label, predicted class and its probability, one row per image.

    Args:
        path: the CSV file.
        indices: (N,) positions of the images in their part of the dataset.
        labels: (N,) true classes.
        logits: (N, num_classes).

    Raises:
        OSError: the file cannot be written.
    """
    predicted = logits.argmax(1)
    probabilities = logits.double().softmax(1).gather(1, predicted[:, None]).squeeze(1)
    _write(path, index=indices, label=labels, predicted=predicted, probability=probabilities)


def write_pair(path: Path, indices: Tensor, labels: Tensor, first: Tensor, second: Tensor) -> None:
    """Write index, label and the classes that two networks predict, all (N,), one row per image.

    Raises:
        OSError: the file cannot be written.
    """
    _write(path, index=indices, label=labels, predicted_a=first, predicted_b=second)


def _write(path: Path, **columns: Tensor) -> None:
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    lines = [",".join(f"{value:.6f}" if isinstance(value, float) else str(value) for value in row) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "\n".join([",".join(columns), *lines]) + "\n")
