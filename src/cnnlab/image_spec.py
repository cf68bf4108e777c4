"""What the images of a dataset are: the one description that data, augmentation, networks and analysis share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ImageSpec:
    """Shape, classes and normalization of images.

    Attributes:
        in_channels: 1 for gray images, 3 for RGB.
        image_size: height and width in pixels, as the network takes them.
        num_classes: 0 where the folders of a dataset name its classes.
        classes: names in the order of the labels; empty where they are not known.
        mean, std: of each channel, over the training pixels in [0, 1]; empty where they are not known.
        covariance: (C, C), of the channels, over the training pixels in [0, 1]; None where it is not known.
        mirror: whether an image that is reflected left to right keeps its label.
    """

    in_channels: int
    image_size: int
    num_classes: int
    classes: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    covariance: "Tensor | None" = None
    mirror: bool = True

    @property
    def network_arguments(self) -> dict[str, int]:
        """What every builder of a network takes of the data."""
        return {"in_channels": self.in_channels, "num_classes": self.num_classes, "image_size": self.image_size}

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return self.in_channels, self.image_size, self.image_size

    def __str__(self) -> str:
        return " x ".join(map(str, self.shape))
