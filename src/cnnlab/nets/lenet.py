"""LeNet-5: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998, fig. 2.

Differs from the paper: every C3 map sees all S2 maps, the subsampling has no weights, and the output is linear (with
softmax in the loss) in place of radial units; tanh is not scaled.
"""

import torch
from torch import Tensor, nn

from cnnlab.errors import UserError, one_of

ACTIVATIONS = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu}
POOLINGS = {"avg": nn.AvgPool2d, "max": nn.MaxPool2d}


class LeNet5(nn.Module):
    """Two convolutions, each with a subsampling, and three fully connected layers.

    The paper's input is 32 pixels wide. Smaller images are padded in C1, as the paper pads MNIST's 28 pixels to 32.
    """

    def __init__(
        self, in_channels: int, num_classes: int, image_size: int, activation: str = "tanh", pooling: str = "avg"
    ) -> None:
        super().__init__()
        one_of("activation", activation, ACTIVATIONS)
        one_of("pooling", pooling, POOLINGS)
        padding = 2 if image_size < 32 else 0
        side = ((image_size + 2 * padding - 4) // 2 - 4) // 2
        if side < 1:
            raise UserError(f"lenet5 needs images of at least 12 pixels, got {image_size}")
        self.activation = ACTIVATIONS[activation]
        self.c1 = nn.Conv2d(in_channels, 6, kernel_size=5, padding=padding)
        self.s2 = POOLINGS[pooling](kernel_size=2)
        self.c3 = nn.Conv2d(6, 16, kernel_size=5)
        self.s4 = POOLINGS[pooling](kernel_size=2)
        self.c5 = nn.Linear(16 * side * side, 120)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 28, 28)
        x = self.activation(self.c1(x))  # (N, 6, 28, 28)
        x = self.s2(x)  # (N, 6, 14, 14)
        x = self.activation(self.c3(x))  # (N, 16, 10, 10)
        x = self.s4(x)  # (N, 16, 5, 5)
        x = x.flatten(1)  # (N, 400)
        x = self.activation(self.c5(x))  # (N, 120)
        x = self.activation(self.f6(x))  # (N, 84)
        return self.output(x)  # (N, 10)


def lenet5(
    in_channels: int = 1,
    num_classes: int = 10,
    image_size: int = 28,
    activation: str = "tanh",
    pooling: str = "avg",
) -> LeNet5:
    """LeNet-5 in the form that everyone uses: 61,706 parameters at 28 pixels and 10 classes.

    Args:
        activation: `tanh`, or the variants `sigmoid` and `relu`.
        pooling: `avg`, or `max`.
    """
    return LeNet5(in_channels, num_classes, image_size, activation=activation, pooling=pooling)
