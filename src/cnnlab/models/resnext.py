"""ResNeXt: Xie, Girshick, Dollar, Tu and He, "Aggregated residual transformations for deep neural networks", 2016,
figure 3c and section 5.3 (CIFAR).

Differs from the paper: nothing.
"""

import torch
from torch import Tensor, nn

from cnnlab.limits import Count
from cnnlab.models.builder import builder
from cnnlab.models.initialization import initialize_convolutions
from cnnlab.models.resnet import make_shortcut

WIDTHS = (256, 512, 1024)


class ResNeXtBlock(nn.Module):
    """1x1 to `cardinality` groups of `width` channels, 3x3 within each group, 1x1, and a shortcut.

    (N, in_channels, H, W) to (N, out_channels, H/stride, W/stride).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, cardinality: int, width: int) -> None:
        super().__init__()
        inner = cardinality * width
        self.conv1 = nn.Conv2d(in_channels, inner, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, kernel_size=3, stride=stride, padding=1, groups=cardinality, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.shortcut = make_shortcut("B", in_channels, out_channels, stride) or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + self.shortcut(x))


class ResNeXt(nn.Module):
    """Three stages of three blocks, which have 29 layers with weights. The groups' width doubles from stage to stage.

    Args:
        cardinality: number of groups.
        width: channels of a group in the first stage.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int = 32,
        cardinality: Count = 32,
        width: Count = 4,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.stage1 = self._stage(64, WIDTHS[0], stride=1, cardinality=cardinality, width=width)
        self.stage2 = self._stage(WIDTHS[0], WIDTHS[1], stride=2, cardinality=cardinality, width=2 * width)
        self.stage3 = self._stage(WIDTHS[1], WIDTHS[2], stride=2, cardinality=cardinality, width=4 * width)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(WIDTHS[2], num_classes)
        initialize_convolutions(self)

    @staticmethod
    def _stage(in_channels: int, out_channels: int, stride: int, cardinality: int, width: int) -> nn.Sequential:
        return nn.Sequential(
            ResNeXtBlock(in_channels, out_channels, stride=stride, cardinality=cardinality, width=width),
            ResNeXtBlock(out_channels, out_channels, stride=1, cardinality=cardinality, width=width),
            ResNeXtBlock(out_channels, out_channels, stride=1, cardinality=cardinality, width=width),
        )

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 32, 32)
        x = torch.relu(self.bn1(self.conv1(x)))  # (N, 64, 32, 32)
        x = self.stage1(x)  # (N, 256, 32, 32)
        x = self.stage2(x)  # (N, 512, 16, 16)
        x = self.stage3(x)  # (N, 1024, 8, 8)
        x = self.avgpool(x).flatten(1)  # (N, 1024)
        return self.fc(x)  # (N, 10)


resnext29_32x4d = builder(ResNeXt, "resnext29_32x4d", "ResNeXt-29: 4,775,754 parameters as 32x4d, 34,426,698 as 8x64d.")
