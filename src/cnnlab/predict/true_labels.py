"""The true classes of images in folders that are named by class, and the accuracy on them."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_confusion_matrix

from cnnlab.predict.prediction import Prediction
from cnnlab.runs.evaluation import Evaluation


def true_labels(files: Sequence[str], classes: Sequence[str]) -> list[int | None]:
    """The label that each file's folder is named by, as in `image_folder`: the class, `/` as `_`, or its number.

    Numbers are used where no folder has the name of a class. The label is None for another name.
    """
    folders = [Path(file).absolute().parent.name for file in files]
    by_name = {name.replace("/", "_"): label for label, name in enumerate(classes)}
    by_number = {str(label): label for label in range(len(classes))}
    labels_of = by_name if set(folders) & set(by_name) else by_number
    return [labels_of.get(folder) for folder in folders]


def accuracy_of(predictions: Sequence[Prediction], labels: Sequence[int | None], num_classes: int) -> Evaluation | None:
    """Accuracy and confusion matrix of the files that can be read and have a label; None if there are none."""
    pairs = [
        (prediction.classes[0], label)
        for prediction, label in zip(predictions, labels, strict=True)
        if prediction.is_readable and label is not None
    ]
    if not pairs:
        return None
    predicted, true = torch.tensor(pairs).unbind(1)
    accuracy = multiclass_accuracy(predicted, true, num_classes, average="micro").item()
    return Evaluation(accuracy, None, multiclass_confusion_matrix(predicted, true, num_classes))
