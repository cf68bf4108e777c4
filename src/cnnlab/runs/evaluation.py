"""A trained network from its checkpoint alone: its weights, its data, and its accuracy."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_confusion_matrix

from cnnlab.augment.views import check_tta, logits_of_views
from cnnlab.config.sections import Evaluated
from cnnlab.data.datamodule import ImageDataModule
from cnnlab.errors import UserError, checking
from cnnlab.machine.setup import Machine
from cnnlab.runs.trained_network import Trained


@dataclass
class Evaluation:
    """Accuracies in [0, 1]; `confusion` counts (true class, predicted class)."""

    accuracy: float
    top5: float | None
    confusion: Tensor

    @property
    def by_class(self) -> list[float]:
        return (self.confusion.diagonal() / self.confusion.sum(1).clamp(min=1)).tolist()


def datamodule_of(images: Evaluated, card: dict[str, Any]) -> ImageDataModule:
    """The data that a card names, split as for training."""
    split = {key: value for key, value in card["data"].items() if key != "fingerprint"}
    options = images.model_dump(include=set(Evaluated.model_fields))
    data = ImageDataModule(**split, **options, image_size=card["image_size"], batch_size=1)
    data.setup()
    if data.dataset.fingerprint != card["data"]["fingerprint"]:
        print(f"note: these are not the images of {data.name} that it was trained on ({data.dataset.source})")
    if list(data.dataset.classes) != card["classes"]:
        raise UserError(
            f"the network knows the classes {card['classes']}, and {data.name} under {data.root} has "
            f"{list(data.dataset.classes)}"
        )
    return data


def predict_logits(trained: Trained, batches: Iterable[Tensor], machine: Machine, tta: str = "none") -> Tensor:
    """Logits (N, num_classes) of all images of `batches`, in order, on the CPU; averaged over the views of `tta`.

    Args:
        trained: the network.
        batches: uint8 images (B, C, H, W), of the size that the network's data stores.
        machine: device and precision.
        tta: see `logits_of_views`.
    """
    net = trained.net.to(machine.device)
    with torch.inference_mode(), machine.autocast():
        logits = [logits_of_views(net, trained.preprocess(images.to(machine.device)), tta) for images in batches]
    return torch.cat(logits).cpu()


def views_of(trained: Trained, asked: str | None) -> str:
    """The views over which evaluation averages: those that are asked for, or None for those of the training run.

    Raises:
        UserError: they flip images whose reflection changes the label.
    """
    tta: str = trained.card.get("tta", "none") if asked is None else asked
    with checking():
        check_tta(tta, trained.preprocess.spec.mirror)
    return tta


def score(logits: Tensor, labels: Tensor, num_classes: int) -> Evaluation:
    """Compare logits (N, num_classes) with labels (N,); there is no top-5 accuracy for five classes or fewer."""
    top5 = (
        multiclass_accuracy(logits, labels, num_classes, average="micro", top_k=5).item() if num_classes > 5 else None
    )
    accuracy = multiclass_accuracy(logits, labels, num_classes, average="micro").item()
    return Evaluation(accuracy, top5, multiclass_confusion_matrix(logits, labels, num_classes))
