"""A trained network and all that its file says about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.build.objects import network_from_card
from cnnlab.data.cache_files import stored_size
from cnnlab.data.specs import SPECS
from cnnlab.errors import UserError
from cnnlab.image_spec import ImageSpec
from cnnlab.preprocessing import Preprocessing
from cnnlab.runs.checkpoint import check_card, read_checkpoint
from cnnlab.runs.onnx_network import SUFFIX, read_onnx


@dataclass(frozen=True)
class Trained:
    """A network in evaluation mode, with the way of an image into it; call it like the network.

    Attributes:
        net: maps normalized images (N, C, image_size, image_size) to logits (N, num_classes).
        card: network, data, classes and normalization, as in a checkpoint.
        preprocess: brings image files to the form of the training data, and normalizes them.
    """

    net: nn.Module
    card: dict[str, Any]
    preprocess: Preprocessing

    def __call__(self, x: Tensor) -> Tensor:
        return self.net(x)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in the order of the logits."""
        return self.preprocess.spec.classes

    @property
    def name(self) -> str:
        """Name of the network and of the data that it was trained on."""
        return f"{self.card['network']['name']} trained on {self.card['data']['name']}"


@dataclass(frozen=True)
class InsideNetwork(Preprocessing):
    """Preprocessing whose second step is part of the network: calling it only makes numbers of bytes."""

    def __call__(self, images: Tensor) -> Tensor:
        return images.float()


def load_trained(path: str | Path) -> Trained:
    """The trained network in a checkpoint, a safetensors file or an ONNX file of this project; no code in it is run.

    Raises:
        UserError: there is no such file, it is damaged or of another kind, or its weights do not fit its network.
    """
    path = Path(path)
    if path.suffix != SUFFIX or not path.is_file():
        return trained(read_checkpoint(path))
    card, net = read_onnx(path)
    check_card(path, card)
    preprocess = preprocessing_of(card)
    if net.has_preprocessing:
        preprocess = InsideNetwork(preprocess.spec, preprocess.stored_size)
    return Trained(net.eval(), card, preprocess)


def trained(checkpoint: dict[str, Any]) -> Trained:
    """The trained network of a checkpoint's content.

    Raises:
        UserError: the weights do not fit the network that the card names.
    """
    card = checkpoint["cnnlab"]
    net = network_from_card(card)
    weights = {name.removeprefix("net."): value for name, value in checkpoint["state_dict"].items()}
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        name = card["network"]["name"]
        raise UserError(f"the checkpoint's weights do not fit its network {name}: {error}") from error
    return Trained(net.eval().to(memory_format=torch.channels_last), card, preprocessing_of(card))


def preprocessing_of(card: dict[str, Any]) -> Preprocessing:
    """The way of an image into the network of a card."""
    name, images = card["data"]["name"], SPECS[card["data"]["name"]].images
    spec = ImageSpec(
        in_channels=len(card["mean"]),
        image_size=card["image_size"],
        num_classes=len(card["classes"]),
        classes=tuple(card["classes"]),
        mean=tuple(card["mean"]),
        std=tuple(card["std"]),
        mirror=images.mirror,
        drawing=images.drawing,
    )
    return Preprocessing(spec, stored_size(name, spec.image_size))


def load_network(path: str | Path, command: str) -> Trained:
    """Like `load_trained`, for a command that looks into the network.

    Raises:
        UserError: as `load_trained`, or the file is an ONNX file.
    """
    if Path(path).suffix == SUFFIX:
        raise UserError(
            f"{command} needs the network's weights, and an ONNX file does not show them: give a checkpoint"
        )
    return load_trained(path)
