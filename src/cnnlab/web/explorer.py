"""The explorer: one HTML file in which a trained network can be opened and looked into."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cnnlab.data.datamodule import Subset
from cnnlab.runs.trained_network import Trained
from cnnlab.web.bundle import Embedded, document, embedded

LARGEST = 64 * 2**20  # bytes of weights that a page can carry


def explorer_page(networks: Sequence[Trained], images: Tensor, labels: Sequence[str], language: str) -> str:
    """The explorer of one network, or of two that see the same images.

    Args:
        networks: one or two.
        images: uint8 (N, C, H, W), of the size that the networks' data stores.
        labels: name of each image's class.
        language: of the page when it opens, `en` or `zh`.

    Raises:
        ValueError: the networks take different images, or are too large for a page.
        Unsupported: the page cannot compute an operation of a network; a ValueError.
    """
    first = networks[0].preprocess
    for other in networks[1:]:
        if (other.preprocess.stored_size, other.preprocess.spec.in_channels) != (
            first.stored_size,
            first.spec.in_channels,
        ):
            raise ValueError(f"networks must take the same images, got {networks[0].name} and {other.name}")
    carried: list[Embedded] = []
    for trained in networks:
        size = sum(parameter.numel() for parameter in trained.net.parameters()) * 2
        if size > LARGEST:
            raise ValueError(
                f"networks must have at most {LARGEST // 2**20} MiB of weights, got {size / 2**20:,.0f} MiB for "
                f"{trained.name}"
            )
        carried.append(embedded(trained))
    title = " and ".join(trained.name for trained in networks)
    return document(title, "explorer", carried, images, labels, language)


def one_of_each(subset: Subset, count: int) -> tuple[Tensor, Tensor]:
    """The first `count` images of a subset with alternating classes: uint8 (N, C, H, W), and labels (N,)."""
    labels = subset.labels
    order = torch.cat([torch.arange(int((labels == label).sum())) for label in labels.unique()])
    turn = torch.empty_like(labels)
    turn[torch.argsort(labels, stable=True)] = order
    chosen = torch.argsort(turn * (labels.max() + 1) + labels, stable=True)[:count]
    return subset[chosen]
