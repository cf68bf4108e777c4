"""LeNet-5: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998, fig. 2.

Differs from the paper:

- `lenet5`: each C3 map sees all S2 maps, the subsampling has no weights, the output is linear (with softmax in the
  loss) instead of radial, and tanh is not scaled.
- `lenet5_1998`: weights are initialized with variance 1/fan_in (LeCun et al., "Efficient backprop", 1998), which
  preserves the signal's variance, and the subsampling as the mean; the radial output is an option, its codes are random
  signs (which the paper mentions as an alternative to drawn digits), and the loss is the cross-entropy of the negative
  distances.
"""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import one_of
from cnnlab.models.builder import builder
from cnnlab.models.initialization import initialize_sigmoid, initialize_squashed
from cnnlab.models.stem import check_size
from cnnlab.ops.size import size_through

ACTIVATIONS = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu}
POOLINGS = {"avg": nn.AvgPool2d, "max": nn.MaxPool2d}
Activation = Literal["tanh", "sigmoid", "relu"]
Pooling = Literal["avg", "max"]
Output = Literal["linear", "radial"]
# Table I: the S2 maps that each of the 16 C3 maps is connected to.
C3_INPUTS = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip


def side_after_s4(image_size: int, padding: int) -> int:
    """Return height and width of S4's maps, in pixels.

    Raises:
        ValueError: the image is below 12 pixels.
    """
    check_size("LeNet-5", image_size, smallest=12)
    return size_through(image_size, (5, 1, padding), (2, 2, 0), (5, 1, 0), (2, 2, 0))  # c1, s2, c3, s4


class LeNet5(nn.Module):
    """Two convolutions, each followed by subsampling, and three fully connected layers.

    C1 pads images below the paper's 32 pixels by 2 on each side, as the paper pads MNIST's 28 pixels to 32.

    Args:
        activation: `tanh`, `sigmoid` or `relu`.
        pooling: `avg` or `max`.

    Raises:
        ValueError: `image_size` is below 12.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int = 28,
        activation: Activation = "tanh",
        pooling: Pooling = "avg",
    ) -> None:
        super().__init__()
        one_of("activation", activation, ACTIVATIONS, ValueError)
        one_of("pooling", pooling, POOLINGS, ValueError)
        padding = 2 if image_size < 32 else 0
        side = side_after_s4(image_size, padding)
        self.activation = ACTIVATIONS[activation]
        self.c1 = nn.Conv2d(in_channels, 6, kernel_size=5, padding=padding)
        self.s2 = POOLINGS[pooling](kernel_size=2)
        self.c3 = nn.Conv2d(6, 16, kernel_size=5)
        self.s4 = POOLINGS[pooling](kernel_size=2)
        self.c5 = nn.Linear(16 * side * side, 120)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, num_classes)
        if activation == "sigmoid":
            initialize_sigmoid(self, last=self.output)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 28, 28)
        x = self.activation(self.c1(x))  # (N, 6, 28, 28)
        x = self.s2(x)  # (N, 6, 14, 14)
        x = self.activation(self.c3(x))  # (N, 16, 10, 10)
        x = self.s4(x)  # (N, 16, 5, 5)
        x = x.flatten(1)  # (N, 400)
        x = self.activation(self.c5(x))  # (N, 120)
        x = self.activation(self.f6(x))  # (N, 84)
        return self.output(x)  # (N, 10)


def squash(x: Tensor) -> Tensor:
    """Equation 6: A tanh(S x), which maps 1 to 1 and -1 to -1."""
    return 1.7159 * torch.tanh(2 / 3 * x)


class Subsampling(nn.Module):
    """Sum of each 2x2 window, times a weight, plus a bias: (N, C, H, W) to (N, C, H/2, W/2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), 0.25))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        x = 4 * F.avg_pool2d(x, kernel_size=2)  # the sum, without divisor_override, which ONNX does not have
        return x * self.weight[:, None, None] + self.bias[:, None, None]


class PartialConv(nn.Module):
    """5x5 convolution whose output map i sees only the maps `inputs[i]`: (N, C, H, W) to (N, len(inputs), H-4, W-4)."""

    def __init__(self, in_channels: int, inputs: tuple[tuple[int, ...], ...]) -> None:
        super().__init__()
        pairs = [(i, j) for i, sees in enumerate(inputs) for j in sees]
        fan_in = torch.tensor([len(inputs[i]) * 25.0 for i, _ in pairs])
        self.weight = nn.Parameter(torch.randn(len(pairs), 5, 5) / fan_in.sqrt()[:, None, None])
        self.bias = nn.Parameter(torch.zeros(len(inputs)))
        self.shape = (len(inputs), in_channels, 5, 5)
        self.kernel_size = (5, 5)
        self.correlate = F.conv2d  # an attribute, so that cnnlab.ops can replace the convolution
        self.register_buffer("pairs", torch.tensor(pairs).T.contiguous(), persistent=False)
        self.pairs: Tensor

    def forward(self, x: Tensor) -> Tensor:
        kernels = self.weight.new_zeros(self.shape).index_put((self.pairs[0], self.pairs[1]), self.weight)
        return self.correlate(x, kernels, self.bias)


class Radial(nn.Module):
    """Negative squared distance to a code of signs per class (equation 7): (N, features) to (N, num_classes)."""

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__()
        signs = torch.randint(2, (num_classes, features), generator=torch.Generator().manual_seed(0))
        self.register_buffer("codes", signs * 2.0 - 1.0)
        self.codes: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return -(x[:, None] - self.codes).square().sum(2)


class LeNet5of1998(nn.Module):
    """Figure 2 with the partial connections of table I and trainable subsampling.

    Args:
        output: `linear`, or `radial` for the distances to fixed codes.

    Raises:
        ValueError: `image_size` is below 12.
    """

    def __init__(
        self, in_channels: int = 1, num_classes: int = 10, image_size: int = 32, output: Output = "linear"
    ) -> None:
        super().__init__()
        one_of("output", output, get_args(Output), ValueError)
        padding = 2 if image_size < 32 else 0
        side = side_after_s4(image_size, padding)
        self.c1 = nn.Conv2d(in_channels, 6, kernel_size=5, padding=padding)
        self.s2 = Subsampling(6)
        self.c3 = PartialConv(6, C3_INPUTS)
        self.s4 = Subsampling(16)
        self.c5 = nn.Linear(16 * side * side, 120)
        self.f6 = nn.Linear(120, 84)
        self.output = Radial(84, num_classes) if output == "radial" else nn.Linear(84, num_classes)
        initialize_squashed(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 32, 32)
        x = squash(self.c1(x))  # (N, 6, 28, 28)
        x = squash(self.s2(x))  # (N, 6, 14, 14)
        x = squash(self.c3(x))  # (N, 16, 10, 10)
        x = squash(self.s4(x))  # (N, 16, 5, 5)
        x = x.flatten(1)  # (N, 400)
        x = squash(self.c5(x))  # (N, 120)
        x = squash(self.f6(x))  # (N, 84)
        return self.output(x)  # (N, 10)


lenet5 = builder(LeNet5, "lenet5", "LeNet-5 in the form in common use: 61,706 parameters.")
lenet5_1998 = builder(
    LeNet5of1998, "lenet5_1998", "LeNet-5 as published: 60,850 parameters, or 60,000 with the radial output."
)
