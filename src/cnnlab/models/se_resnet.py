"""SE-ResNet: Hu, Shen and Sun, "Squeeze-and-excitation networks", 2017, figures 1 and 3.

Differs from the paper: `stem="small"` as in ResNet.
"""

import torch
from torch import Tensor, nn

from cnnlab.models.builder import builder
from cnnlab.models.resnet import DEPTHS, BasicBlock, ResNet

REDUCTION = 16  # section 6.4


class SqueezeExcitation(nn.Module):
    """Multiply each channel by a weight in (0, 1), computed from the means of all channels; same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, channels // REDUCTION, kernel_size=1)
        self.expand = nn.Conv2d(channels // REDUCTION, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.relu(self.reduce(self.squeeze(x)))
        return x * torch.sigmoid(self.expand(weight))


class SEBasicBlock(BasicBlock):
    """ResNet's block with squeeze and excitation before the addition."""

    def __init__(self, in_channels: int, width: int, stride: int, shortcut: str) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.se = SqueezeExcitation(width)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.se(self.bn2(self.conv2(y)))
        return torch.relu(y if self.shortcut is None else y + self.shortcut(x))


class SEResNet(ResNet):
    """ResNet with squeeze and excitation in each block. The arguments are those of `ResNet`."""


se_resnet18 = builder(SEResNet, "se_resnet18", "SE-ResNet-18: 11,778,592 parameters.", SEBasicBlock, DEPTHS["resnet18"])
