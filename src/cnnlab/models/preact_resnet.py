"""Pre-activation residual networks: He, Zhang, Ren and Sun, "Identity mappings in deep residual networks", 2016,
figure 1b, with the depths and widths of ResNet-18.

Differs from the paper: the first block's shortcut starts before its activation, as in all other blocks that keep the
shape; `stem="imagenet"` is ResNet's 7x7 convolution, batch norm and pooling.
"""

import torch
from torch import Tensor, nn

from cnnlab.models.builder import builder
from cnnlab.models.initialization import initialize_convolutions
from cnnlab.models.resnet import DEPTHS, WIDTHS
from cnnlab.models.stem import StemForm, choose_stem


class PreActBlock(nn.Module):
    """Batch norm and ReLU before each of two 3x3 convolutions, and no activation after the addition.

    (N, in_channels, H, W) to (N, out_channels, H/stride, W/stride). A projection starts from the activated input.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.projection: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            self.projection = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        activated = torch.relu(self.bn1(x))
        shortcut = x if self.projection is None else self.projection(activated)
        y = self.conv1(activated)
        y = self.conv2(torch.relu(self.bn2(y)))
        return y + shortcut


class PreActResNet(nn.Module):
    """Four stages of pre-activation blocks.

    Args:
        stem: `imagenet`, `small`, or `auto` for `small` below 64 pixels.
    """

    def __init__(
        self,
        depths: tuple[int, ...],
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int = 32,
        stem: StemForm = "auto",
    ) -> None:
        super().__init__()
        self.stem = choose_stem(stem, image_size)
        if self.stem == "small":
            self.conv1: nn.Module = nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False)
        else:
            self.conv1 = nn.Sequential(
                nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False),
                nn.BatchNorm2d(64),
                nn.ReLU(),
                nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
            )
        self.conv2_x = self._stage(64, WIDTHS[0], depth=depths[0], stride=1)
        self.conv3_x = self._stage(WIDTHS[0], WIDTHS[1], depth=depths[1], stride=2)
        self.conv4_x = self._stage(WIDTHS[1], WIDTHS[2], depth=depths[2], stride=2)
        self.conv5_x = self._stage(WIDTHS[2], WIDTHS[3], depth=depths[3], stride=2)
        self.bn = nn.BatchNorm2d(WIDTHS[3])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(WIDTHS[3], num_classes)
        initialize_convolutions(self)

    @staticmethod
    def _stage(in_channels: int, out_channels: int, depth: int, stride: int) -> nn.Sequential:
        first = PreActBlock(in_channels, out_channels, stride=stride)
        return nn.Sequential(first, *(PreActBlock(out_channels, out_channels, stride=1) for _ in range(depth - 1)))

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 32, 32)
        x = self.conv1(x)  # (N, 64, 32, 32)
        x = self.conv2_x(x)  # (N, 64, 32, 32)
        x = self.conv3_x(x)  # (N, 128, 16, 16)
        x = self.conv4_x(x)  # (N, 256, 8, 8)
        x = self.conv5_x(x)  # (N, 512, 4, 4)
        x = torch.relu(self.bn(x))  # (N, 512, 4, 4)
        x = self.avgpool(x).flatten(1)  # (N, 512)
        return self.fc(x)  # (N, 10)


preact_resnet18 = builder(
    PreActResNet, "preact_resnet18", "PreAct-ResNet-18: 11,172,170 parameters.", DEPTHS["resnet18"]
)
