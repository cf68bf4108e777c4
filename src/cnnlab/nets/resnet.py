"""Residual networks: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015, table 1.

Differs from the paper: `stem="small"` replaces the 7x7 convolution and the pooling, which reduce the side by 4, by one
3x3 convolution, for images below 64 pixels.
"""

import torch
from torch import Tensor, nn

from cnnlab.errors import one_of

WIDTHS = (64, 128, 256, 512)
DEPTHS = {
    "resnet18": (2, 2, 2, 2),
}
STEMS = ("auto", "imagenet", "small")


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the shortcut around them (figure 2), a 1x1 projection where the shape changes.

    (N, in_channels, H, W) to (N, out_channels, H/stride, W/stride).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, in_channels: int, num_classes: int, depths: tuple[int, ...], stem: str) -> None:
        super().__init__()
        if stem == "small":
            self.conv1 = nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False)
            self.pool1: nn.Module = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
            self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.stem = stem
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2_x = self._stage(64, WIDTHS[0], depth=depths[0], stride=1)
        self.conv3_x = self._stage(WIDTHS[0], WIDTHS[1], depth=depths[1], stride=2)
        self.conv4_x = self._stage(WIDTHS[1], WIDTHS[2], depth=depths[2], stride=2)
        self.conv5_x = self._stage(WIDTHS[2], WIDTHS[3], depth=depths[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(WIDTHS[3], num_classes)
        self._initialise()

    @staticmethod
    def _stage(in_channels: int, out_channels: int, depth: int, stride: int) -> nn.Sequential:
        first = BasicBlock(in_channels, out_channels, stride=stride)
        return nn.Sequential(first, *(BasicBlock(out_channels, out_channels, stride=1) for _ in range(depth - 1)))

    def _initialise(self) -> None:
        """Section 3.4: as in He et al., "Delving deep into rectifiers", 2015."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 224, 224)
        x = torch.relu(self.bn1(self.conv1(x)))  # (N, 64, 112, 112)
        x = self.pool1(x)  # (N, 64, 56, 56)
        x = self.conv2_x(x)  # (N, 64, 56, 56)
        x = self.conv3_x(x)  # (N, 128, 28, 28)
        x = self.conv4_x(x)  # (N, 256, 14, 14)
        x = self.conv5_x(x)  # (N, 512, 7, 7)
        x = self.avgpool(x).flatten(1)  # (N, 512)
        return self.fc(x)  # (N, 1000)


def resnet18(in_channels: int = 3, num_classes: int = 1000, image_size: int = 224, stem: str = "auto") -> ResNet:
    """ResNet-18: 11,689,512 parameters; 11,173,962 with the small stem and 10 classes.

    Args:
        stem: `imagenet`, `small`, or `auto`: small below 64 pixels.
    """
    one_of("stem", stem, STEMS)
    if stem == "auto":
        stem = "small" if image_size < 64 else "imagenet"
    return ResNet(in_channels, num_classes, depths=DEPTHS["resnet18"], stem=stem)
