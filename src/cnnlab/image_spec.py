"""The description of a dataset's images that data, augmentation, networks and analysis share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Drawing:
    """How a dataset of light drawings on black places them.

    Attributes:
        box: length of the drawing's longer side in an image of the stored size, in pixels.
        center: `mass` if the center of mass is at the center of the image, `box` if the center of the drawing is.
    """

    box: int
    center: str


@dataclass(frozen=True)
class ImageSpec:
    """Shape, classes and normalization of images.

    Attributes:
        in_channels: 1 for gray images, 3 for RGB.
        image_size: height and width of the network's input, in pixels.
        num_classes: 0 if the classes come from the dataset's folders and are not yet known.
        classes: names in label order; empty if unknown.
        mean, std: statistics per channel of the training pixels, scaled to [0, 1]; empty if unknown.
        covariance: (C, C), of the channels of the training pixels, scaled to [0, 1]; None if unknown.
        mirror: whether flipping an image left to right preserves its label.
        drawing: for light drawings on black, how they are placed; else None.
    """

    in_channels: int
    image_size: int
    num_classes: int
    classes: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    covariance: "Tensor | None" = None
    mirror: bool = True
    drawing: Drawing | None = None

    @property
    def network_arguments(self) -> dict[str, int]:
        """The arguments of every network builder that the data determines."""
        return {"in_channels": self.in_channels, "num_classes": self.num_classes, "image_size": self.image_size}

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return self.in_channels, self.image_size, self.image_size

    def __str__(self) -> str:
        return " x ".join(map(str, self.shape))
