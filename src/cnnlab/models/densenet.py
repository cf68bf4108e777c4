"""DenseNet: Huang, Liu, van der Maaten and Weinberger, "Densely connected convolutional networks", 2016, table 1
(DenseNet-BC).

Differs from the paper: `stem="small"` begins with one 3x3 convolution, as the paper's networks for CIFAR do.
"""

import torch
from torch import Tensor, nn

from cnnlab.models.builder import builder
from cnnlab.models.initialization import initialize_convolutions
from cnnlab.models.stem import StemForm, choose_stem

GROWTH = 32  # the paper's k
DEPTHS = {"densenet121": (6, 12, 24, 16)}


class DenseLayer(nn.Module):
    """1x1 convolution to 4k channels, 3x3 convolution to k, appended to the input: (N, C, H, W) to (N, C+k, H, W)."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, 4 * GROWTH, kernel_size=1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * GROWTH)
        self.conv2 = nn.Conv2d(4 * GROWTH, GROWTH, kernel_size=3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(torch.relu(self.bn1(x)))
        y = self.conv2(torch.relu(self.bn2(y)))
        return torch.cat((x, y), dim=1)


class Transition(nn.Module):
    """1x1 convolution to half the channels, 2x2 average pooling: (N, C, H, W) to (N, C/2, H/2, W/2)."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, in_channels // 2, kernel_size=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.conv(torch.relu(self.bn(x))))


class DenseNet(nn.Module):
    """Four dense blocks. Each layer of a block sees the maps of all layers before it.

    Args:
        stem: `imagenet`, `small`, or `auto` for `small` below 64 pixels.

    Raises:
        ValueError: `image_size` is below 29, or below 8 with the small stem.
    """

    def __init__(
        self,
        depths: tuple[int, ...],
        in_channels: int = 3,
        num_classes: int = 1000,
        image_size: int = 224,
        stem: StemForm = "auto",
    ) -> None:
        super().__init__()
        self.stem = choose_stem(stem, image_size, "DenseNet", small=8, imagenet=29)
        width = 2 * GROWTH
        if self.stem == "small":
            self.conv0: nn.Module = nn.Conv2d(in_channels, width, kernel_size=3, padding=1, bias=False)
        else:
            self.conv0 = nn.Sequential(
                nn.Conv2d(in_channels, width, kernel_size=7, stride=2, padding=3, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
            )
        self.block1, width = self._block(width, depths[0])
        self.transition1, width = Transition(width), width // 2
        self.block2, width = self._block(width, depths[1])
        self.transition2, width = Transition(width), width // 2
        self.block3, width = self._block(width, depths[2])
        self.transition3, width = Transition(width), width // 2
        self.block4, width = self._block(width, depths[3])
        self.bn = nn.BatchNorm2d(width)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width, num_classes)
        initialize_convolutions(self)

    @staticmethod
    def _block(in_channels: int, depth: int) -> tuple[nn.Sequential, int]:
        """Return a dense block and its number of output channels."""
        layers = [DenseLayer(in_channels + i * GROWTH) for i in range(depth)]
        return nn.Sequential(*layers), in_channels + depth * GROWTH

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 224, 224)
        x = self.conv0(x)  # (N, 64, 56, 56)
        x = self.transition1(self.block1(x))  # (N, 128, 28, 28)
        x = self.transition2(self.block2(x))  # (N, 256, 14, 14)
        x = self.transition3(self.block3(x))  # (N, 512, 7, 7)
        x = torch.relu(self.bn(self.block4(x)))  # (N, 1024, 7, 7)
        x = self.avgpool(x).flatten(1)  # (N, 1024)
        return self.fc(x)  # (N, 1000)


densenet121 = builder(DenseNet, "densenet121", "DenseNet-121: 7,978,856 parameters.", DEPTHS["densenet121"])
