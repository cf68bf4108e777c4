"""One figure of predicted images, with their true and predicted classes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure
from torch import Tensor

from cnnlab.figures.image_grid import draw_image_grid
from cnnlab.figures.style import PALETTE
from cnnlab.predict.prediction import Prediction

MOST = 96  # images in the figure
COLUMNS = 8
RIGHT, WRONG, UNKNOWN = PALETTE[0], PALETTE[1], "#555555"


@dataclass
class ContactSheet:
    """Collects at most MOST images, spread evenly over all, while they are predicted.

    Attributes:
        total: number of all images.
        chosen: positions of the images in the figure.
        pixels: uint8 (C, H, W) of those that can be read, by position.
    """

    total: int
    pixels: dict[int, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = min(self.total, MOST)
        self.chosen = {round(i * (self.total - 1) / max(count - 1, 1)) for i in range(count)}

    def add(self, position: int, pixels: Tensor | None) -> None:
        """Keep the pixels of the image at `position` if it is one of the chosen."""
        if position in self.chosen and pixels is not None:
            self.pixels[position] = pixels

    def draw(
        self, predictions: Sequence[Prediction], labels: Sequence[int | None], classes: Sequence[str], title: str
    ) -> Figure:
        """Draw the images as the network sees them; right predictions in blue, wrong ones in orange.

        Args:
            predictions, labels: of all images, by position; a label is None if it is unknown.
        """
        captions, colors = [], []
        for position in self.pixels:
            prediction, label = predictions[position], labels[position]
            guess = classes[prediction.classes[0]]
            if label is None:
                captions.append(f"{guess}\n{100 * prediction.probabilities[0]:.0f} %")
                colors.append(UNKNOWN)
            else:
                captions.append(f"true: {classes[label]}\npredicted: {guess}")
                colors.append(RIGHT if label == prediction.classes[0] else WRONG)
        return draw_image_grid(list(self.pixels.values()), captions, columns=COLUMNS, colors=colors, title=title)
