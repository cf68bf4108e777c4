"""What other packages expect of a network beyond `nn.Module`. Each is optional: test with `isinstance`."""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class HasStem(Protocol):
    """A network with one form for large and one for small images.

    Attributes:
        stem: the form that was built, `imagenet` or `small`.
    """

    stem: str


@runtime_checkable
class HasWhitening(Protocol):
    """A network whose first layer is computed from training images before training.

    Attributes:
        whitening_images: number of training images that `whiten` needs; 0 if the first layer is trained instead.
        bias_until: fraction of a run after which the biases of the whitening layer are frozen.
    """

    whitening_images: int
    bias_until: float

    def whiten(self, images: Tensor) -> None:
        """Set and freeze the first layer's filters.

        Args:
            images: (N, C, H, W), normalized as for training.
        """

    def freeze_whitening(self) -> None:
        """Freeze the first layer's biases too; the layer then needs no gradient."""


@runtime_checkable
class HasAuxiliaryHeads(Protocol):
    """A network that may return a tuple in training mode: its logits, then the logits of each auxiliary head.

    Attributes:
        auxiliary_weight: factor of each auxiliary head's loss in the training loss.
    """

    auxiliary_weight: float
