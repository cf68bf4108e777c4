"""A trained network from its checkpoint alone: its weights, its data, and its accuracy."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_confusion_matrix

from cnnlab.augment.pipeline import normalize
from cnnlab.augment.views import logits_of_views
from cnnlab.build.objects import network_from_card
from cnnlab.config.sections import Evaluated
from cnnlab.data.datamodule import ImageDataModule, Subset
from cnnlab.errors import UserError
from cnnlab.machine.setup import Machine


@dataclass
class Evaluation:
    """Accuracies in [0, 1]; `confusion` counts (true class, predicted class)."""

    accuracy: float
    top5: float | None
    confusion: Tensor

    @property
    def by_class(self) -> list[float]:
        return (self.confusion.diagonal() / self.confusion.sum(1).clamp(min=1)).tolist()


def trained_network(checkpoint: dict[str, Any]) -> nn.Module:
    """The checkpoint's network with its weights, in evaluation mode.

    Raises:
        UserError: the weights do not fit the network that the checkpoint names.
    """
    net = network_from_card(checkpoint["cnnlab"])
    weights = {name.removeprefix("net."): value for name, value in checkpoint["state_dict"].items()}
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        name = checkpoint["cnnlab"]["network"]["name"]
        raise UserError(f"the checkpoint's weights do not fit its network {name}: {error}") from error
    return net.eval().to(memory_format=torch.channels_last)


def datamodule_of(images: Evaluated, card: dict[str, Any]) -> ImageDataModule:
    """The data that a card names, split as for training and normalized as the network expects."""
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
    data.dataset.mean, data.dataset.std = tuple(card["mean"]), tuple(card["std"])  # the network's own normalization
    return data


def predict_logits(
    net: nn.Module, data: ImageDataModule, subset: Subset, machine: Machine, tta: str = "none"
) -> Tensor:
    """Logits (N, num_classes) of all images of `subset`, in order, on the CPU; averaged over the views of `tta`."""
    net = net.to(machine.device)
    with torch.inference_mode(), machine.autocast():
        batches = [
            logits_of_views(net, normalize(images.to(machine.device), data.spec), tta)
            for images, _ in data.eval_dataloader(subset)
        ]
    return torch.cat(batches).cpu()


def score(logits: Tensor, labels: Tensor, num_classes: int) -> Evaluation:
    """Compare logits (N, num_classes) with labels (N,); there is no top-5 accuracy for five classes or fewer."""
    top5 = (
        multiclass_accuracy(logits, labels, num_classes, average="micro", top_k=5).item() if num_classes > 5 else None
    )
    accuracy = multiclass_accuracy(logits, labels, num_classes, average="micro").item()
    return Evaluation(accuracy, top5, multiclass_confusion_matrix(logits, labels, num_classes))
