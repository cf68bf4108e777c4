"""Wide residual networks: Zagoruyko and Komodakis, "Wide residual networks", 2016, table 1 and figure 1d.

Differs from the paper: nothing.
"""

import torch
from torch import Tensor, nn

from cnnlab.limits import Count, Depth6nPlus4, Fraction
from cnnlab.models.builder import builder
from cnnlab.models.initialization import initialize_convolutions
from cnnlab.models.preact_resnet import PreActBlock

WIDTHS = (16, 32, 64)


class WideBlock(PreActBlock):
    """A pre-activation block with dropout between the convolutions."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, dropout: float) -> None:
        super().__init__(in_channels, out_channels, stride=stride)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        activated = torch.relu(self.bn1(x))
        shortcut = x if self.projection is None else self.projection(activated)
        y = torch.relu(self.bn2(self.conv1(activated)))
        y = self.conv2(self.dropout(y))
        return y + shortcut


class WideResNet(nn.Module):
    """Three groups of (`depth` - 4) / 6 blocks, `width` times as wide as those of ResNet for CIFAR.

    Args:
        depth: number of layers with weights, 6n + 4.
        width: multiplier of the channel counts; the paper's k.
        dropout: fraction of the values to drop between the convolutions of a block; 0.3 in the paper's section 3.4.

    Raises:
        ValueError: `depth` is not 6n + 4 with n > 0, or `width` is below 1.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int = 32,
        depth: Depth6nPlus4 = 28,
        width: Count = 10,
        dropout: Fraction = 0.0,
    ) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        widths = [width * channels for channels in WIDTHS]
        self.conv1 = nn.Conv2d(in_channels, 16, kernel_size=3, padding=1, bias=False)
        self.conv2 = self._group(16, widths[0], blocks, stride=1, dropout=dropout)
        self.conv3 = self._group(widths[0], widths[1], blocks, stride=2, dropout=dropout)
        self.conv4 = self._group(widths[1], widths[2], blocks, stride=2, dropout=dropout)
        self.bn = nn.BatchNorm2d(widths[2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[2], num_classes)
        initialize_convolutions(self)

    @staticmethod
    def _group(in_channels: int, out_channels: int, blocks: int, stride: int, dropout: float) -> nn.Sequential:
        first = WideBlock(in_channels, out_channels, stride=stride, dropout=dropout)
        rest = (WideBlock(out_channels, out_channels, stride=1, dropout=dropout) for _ in range(blocks - 1))
        return nn.Sequential(first, *rest)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 32, 32)
        x = self.conv1(x)  # (N, 16, 32, 32)
        x = self.conv2(x)  # (N, 160, 32, 32)
        x = self.conv3(x)  # (N, 320, 16, 16)
        x = self.conv4(x)  # (N, 640, 8, 8)
        x = torch.relu(self.bn(x))  # (N, 640, 8, 8)
        x = self.avgpool(x).flatten(1)  # (N, 640)
        return self.fc(x)  # (N, 10)


wrn_28_10 = builder(WideResNet, "wrn_28_10", "WRN-28-10: 36,479,194 parameters.")
