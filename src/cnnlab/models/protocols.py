"""What other packages may expect of a network beyond being a module."""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class HasStem(Protocol):
    """A network with a form for small images.

    Attributes:
        stem: `imagenet` or `small`, the form that was built.
    """

    stem: str


@runtime_checkable
class HasAuxiliaryHeads(Protocol):
    """A network that returns a tuple in training: the logits, then those of its auxiliary heads.

    Attributes:
        auxiliary_weight: the weight of each auxiliary head's loss.
    """

    auxiliary_weight: float


@runtime_checkable
class Whitened(Protocol):
    """A network whose first layer is computed from training images before training.

    Attributes:
        whitening_images: how many images `whiten` takes; 0 if the first layer is trained instead.
    """

    whitening_images: int

    def whiten(self, images: Tensor) -> None:
        """Set the first layer from normalized images (N, C, H, W)."""
