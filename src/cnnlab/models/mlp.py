"""A multilayer perceptron, to compare fully connected with convolutional networks.

Differs from the paper: nothing, as no paper describes it.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from cnnlab.limits import Count, Fraction
from cnnlab.models.builder import builder


class MLP(nn.Module):
    """Fully connected layers with ReLU, on the flattened image.

    Args:
        hidden: units of each hidden layer.
        dropout: fraction of the hidden units to drop in training.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int = 28,
        hidden: Sequence[Count] = (512, 256),
        dropout: Fraction = 0.2,
    ) -> None:
        super().__init__()
        widths = [in_channels * image_size * image_size, *hidden]
        self.hidden = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 28, 28)
        x = x.flatten(1)  # (N, 784)
        for layer in self.hidden:
            x = self.dropout(self.relu(layer(x)))
        return self.output(x)  # (N, 10)


mlp = builder(MLP, "mlp", "Multilayer perceptron with two hidden layers: 535,818 parameters.")
