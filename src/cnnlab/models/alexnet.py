"""AlexNet: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012,
figure 2. The form with one tower is from Krizhevsky, "One weird trick for parallelizing convolutional neural networks",
2014.

Differs from the paper: conv1 has padding 2, which gives the figure's 55x55 maps for 224 pixels (without padding they
need 227); weights are initialized as in He et al., 2015, and biases with 0, because training takes epochs to start with
the paper's standard deviation 0.01 and biases of 1; `stem="small"` begins with a 5x5 convolution of stride 1 and has
1,024 units in fc6 and fc7.
"""

import torch
from torch import Tensor, nn

from cnnlab.limits import Fraction
from cnnlab.models.builder import builder
from cnnlab.models.initialization import initialize_without_norm
from cnnlab.models.stem import StemForm, choose_stem
from cnnlab.ops.size import out_size, size_through

# Output channels of conv1 to conv5, and the number of towers.
VARIANTS = {
    "alexnet": ((64, 192, 384, 256, 256), 1),
    "alexnet_2012": ((96, 256, 384, 384, 256), 2),
}


class ResponseNorm(nn.LocalResponseNorm):
    """Section 3.3: x / (k + alpha * sum of the squares of 5 neighboring channels)^beta, with the same shape."""

    def __init__(self) -> None:
        super().__init__(size=5, alpha=5 * 1e-4, beta=0.75, k=2.0)  # PyTorch divides alpha by the size


class AlexNet(nn.Module):
    """Five convolutions, three overlapping poolings and three fully connected layers.

    With two towers, conv2, conv4 and conv5 only see the maps of their own tower.

    Args:
        response_norm: apply local response normalization after conv1 and conv2.
        dropout: fraction of the units of fc6 and fc7 to drop in training.
        stem: `imagenet`, `small`, or `auto` for `small` below 64 pixels.

    Raises:
        ValueError: `image_size` is below 63, or below 15 with the small stem.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        towers: int,
        in_channels: int = 3,
        num_classes: int = 1000,
        image_size: int = 224,
        response_norm: bool = False,
        dropout: Fraction = 0.5,
        stem: StemForm = "auto",
    ) -> None:
        super().__init__()
        self.stem = choose_stem(stem, image_size, "AlexNet", small=15, imagenet=63)
        if self.stem == "small":
            self.conv1 = nn.Conv2d(in_channels, widths[0], kernel_size=5, padding=2)
            side, hidden = image_size, 1024
        else:
            self.conv1 = nn.Conv2d(in_channels, widths[0], kernel_size=11, stride=4, padding=2)
            side, hidden = out_size(image_size, 11, stride=4, padding=2), 4096
        side = size_through(side, *[(3, 2, 0)] * 3)  # pool1, pool2, pool5
        self.norm1 = ResponseNorm() if response_norm else nn.Identity()
        self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.conv2 = nn.Conv2d(widths[0], widths[1], kernel_size=5, padding=2, groups=towers)
        self.norm2 = ResponseNorm() if response_norm else nn.Identity()
        self.pool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.conv3 = nn.Conv2d(widths[1], widths[2], kernel_size=3, padding=1)
        self.conv4 = nn.Conv2d(widths[2], widths[3], kernel_size=3, padding=1, groups=towers)
        self.conv5 = nn.Conv2d(widths[3], widths[4], kernel_size=3, padding=1, groups=towers)
        self.pool5 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.fc6 = nn.Linear(widths[4] * side * side, hidden)
        self.dropout6 = nn.Dropout(dropout)
        self.fc7 = nn.Linear(hidden, hidden)
        self.dropout7 = nn.Dropout(dropout)
        self.fc8 = nn.Linear(hidden, num_classes)
        initialize_without_norm(self, last=self.fc8)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 224, 224)
        x = self.norm1(torch.relu(self.conv1(x)))  # (N, 64, 55, 55)
        x = self.pool1(x)  # (N, 64, 27, 27)
        x = self.norm2(torch.relu(self.conv2(x)))  # (N, 192, 27, 27)
        x = self.pool2(x)  # (N, 192, 13, 13)
        x = torch.relu(self.conv3(x))  # (N, 384, 13, 13)
        x = torch.relu(self.conv4(x))  # (N, 256, 13, 13)
        x = torch.relu(self.conv5(x))  # (N, 256, 13, 13)
        x = self.pool5(x)  # (N, 256, 6, 6)
        x = x.flatten(1)  # (N, 9216)
        x = self.dropout6(torch.relu(self.fc6(x)))  # (N, 4096)
        x = self.dropout7(torch.relu(self.fc7(x)))  # (N, 4096)
        return self.fc8(x)  # (N, 1000)


alexnet = builder(AlexNet, "alexnet", "AlexNet with one tower: 61,100,840 parameters.", *VARIANTS["alexnet"])
alexnet_2012 = builder(
    AlexNet,
    "alexnet_2012",
    "AlexNet as published, with two towers: 60,965,224 parameters.",
    *VARIANTS["alexnet_2012"],
    response_norm=True,
)
