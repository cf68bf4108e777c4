"""A multilayer perceptron: the fully connected contrast to the convolutional networks.

Differs from the paper: there is none.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from cnnlab.models.stem import check_size
from cnnlab.models.variants import variant


class MLP(nn.Module):
    """Fully connected layers with ReLU between them, on the flattened image.

    Args:
        hidden: widths of the hidden layers.
        dropout: the fraction of hidden units that is dropped in training.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int = 28,
        hidden: Sequence[int] = (512, 256),
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check_size("mlp", image_size, smallest=1)
        widths = [in_channels * image_size * image_size, *hidden, num_classes]
        self.hidden = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths[:-1]))
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(widths[-2], widths[-1])

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 28, 28)
        x = x.flatten(1)  # (N, 784)
        for layer in self.hidden:
            x = self.dropout(self.relu(layer(x)))
        return self.output(x)  # (N, 10)


mlp = variant("mlp", MLP, "A multilayer perceptron.")
