"""MobileNets: Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications",
2017, table 1; Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018, table 2.

Differs from the paper: `stem="small"` replaces the first two of the five strides by 1.
"""

import torch
from torch import Tensor, nn

from cnnlab.limits import Fraction, Positive
from cnnlab.models.builder import builder
from cnnlab.models.initialization import initialize_convolutions
from cnnlab.models.stem import StemForm, choose_stem

# Version 1, table 1: output channels and stride of each depthwise separable convolution.
SEPARABLE = (
    (64, 1),
    (128, 2), (128, 1),
    (256, 2), (256, 1),
    (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
    (1024, 2), (1024, 1),
)  # fmt: skip
# Version 2, table 2: expansion t, output channels c, repetitions n, stride s of the first repetition.
INVERTED = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def scale(channels: int, width: float) -> int:
    """Return `width` times `channels`, rounded to a multiple of 8 that is at most 10 % lower."""
    exact = channels * width
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * exact else rounded + 8


class Separable(nn.Module):
    """Depthwise 3x3 convolution, then 1x1 convolution; batch norm and ReLU after each (figure 3, v1).

    (N, in_channels, H, W) to (N, out_channels, H/stride, W/stride).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, kernel_size=3, stride=stride, padding=1, groups=in_channels, bias=False
        )
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.depthwise(x)))
        return torch.relu(self.bn2(self.pointwise(x)))


class MobileNetV1(nn.Module):
    """A 3x3 convolution and 13 depthwise separable convolutions.

    Args:
        width: multiplier of all channel counts; the paper's alpha.
        stem: `imagenet`, `small`, or `auto` for `small` below 64 pixels.

    Raises:
        ValueError: `width` is not positive.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1000,
        image_size: int = 224,
        width: Positive = 1.0,
        stem: StemForm = "auto",
    ) -> None:
        super().__init__()
        self.stem = choose_stem(stem, image_size)
        small = self.stem == "small"
        channels = scale(32, width)
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=3, stride=1 if small else 2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.separable = nn.Sequential()
        for i, (out_channels, stride) in enumerate(SEPARABLE):
            stride_here = 1 if small and i == 1 else stride
            self.separable.append(Separable(channels, scale(out_channels, width), stride=stride_here))
            channels = scale(out_channels, width)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)
        initialize_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 224, 224)
        x = torch.relu(self.bn1(self.conv1(x)))  # (N, 32, 112, 112)
        x = self.separable(x)  # (N, 1024, 7, 7)
        x = self.avgpool(x).flatten(1)  # (N, 1024)
        return self.fc(x)  # (N, 1000)


class InvertedResidual(nn.Module):
    """1x1 to t times the channels, depthwise 3x3, linear 1x1; a shortcut where the shape stays the same.

    (N, in_channels, H, W) to (N, out_channels, H/stride, W/stride) (table 1, v2).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = expansion * in_channels
        self.expand = nn.Sequential()
        if expansion != 1:
            self.expand = nn.Sequential(
                nn.Conv2d(in_channels, inner, kernel_size=1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()
            )
        self.depthwise = nn.Sequential(
            nn.Conv2d(inner, inner, kernel_size=3, stride=stride, padding=1, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU6(),
        )
        self.project = nn.Sequential(
            nn.Conv2d(inner, out_channels, kernel_size=1, bias=False), nn.BatchNorm2d(out_channels)
        )
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """A 3x3 convolution, 17 inverted residuals and a 1x1 convolution.

    Args:
        width: multiplier of all channel counts, except that the last is at least 1,280.
        dropout: fraction of the last features to drop in training.
        stem: `imagenet`, `small`, or `auto` for `small` below 64 pixels.

    Raises:
        ValueError: `width` is not positive.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1000,
        image_size: int = 224,
        width: Positive = 1.0,
        dropout: Fraction = 0.2,
        stem: StemForm = "auto",
    ) -> None:
        super().__init__()
        self.stem = choose_stem(stem, image_size)
        small = self.stem == "small"
        channels = scale(32, width)
        last = scale(1280, max(1.0, width))
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=3, stride=1 if small else 2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.bottlenecks = nn.Sequential()
        for row, (expansion, out_channels, repetitions, stride) in enumerate(INVERTED):
            for i in range(repetitions):
                stride_here = 1 if i > 0 or (small and row == 1) else stride
                block = InvertedResidual(channels, scale(out_channels, width), stride=stride_here, expansion=expansion)
                self.bottlenecks.append(block)
                channels = scale(out_channels, width)
        self.conv2 = nn.Conv2d(channels, last, kernel_size=1, bias=False)
        self.bn2 = nn.BatchNorm2d(last)
        self.relu6 = nn.ReLU6()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(last, num_classes)
        initialize_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 224, 224)
        x = self.relu6(self.bn1(self.conv1(x)))  # (N, 32, 112, 112)
        x = self.bottlenecks(x)  # (N, 320, 7, 7)
        x = self.relu6(self.bn2(self.conv2(x)))  # (N, 1280, 7, 7)
        x = self.avgpool(x).flatten(1)  # (N, 1280)
        return self.fc(self.dropout(x))  # (N, 1000)


mobilenet_v1 = builder(MobileNetV1, "mobilenet_v1", "MobileNet: 4,231,976 parameters.")
mobilenet_v2 = builder(MobileNetV2, "mobilenet_v2", "MobileNetV2: 3,504,872 parameters.")
