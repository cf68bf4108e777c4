"""Residual networks: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015, table 1 and section
4.2 (the CIFAR family).

Differs from the paper: the stride of a bottleneck is in its 3x3 convolution, as in later code, not in its first 1x1;
`stem="small"` replaces the 7x7 convolution and the pooling, which reduce the side by 4, with one 3x3 convolution.
"""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import one_of
from cnnlab.models.builder import builder
from cnnlab.models.initialization import initialize_convolutions
from cnnlab.models.stem import StemForm, choose_stem

WIDTHS = (64, 128, 256, 512)
DEPTHS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
}
CIFAR_WIDTHS = (16, 32, 64)
CIFAR_DEPTHS = {"resnet20": 3, "resnet32": 5, "resnet44": 7, "resnet56": 9, "resnet110": 18}  # n of 6n + 2 layers
Shortcut = Literal["A", "B", "none"]


class ZeroPad(nn.Module):
    """Option A: subsample by `stride` and append `channels` channels of zeros, without parameters."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.channels))


def make_shortcut(kind: str, in_channels: int, out_channels: int, stride: int) -> nn.Module | None:
    """Return the shortcut of a block: identity, or option A or B (1x1 projection) where the shape changes, or None."""
    if kind == "none":
        return None
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    if kind == "A":
        return ZeroPad(out_channels - in_channels, stride)
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (figure 2).

    (N, in_channels, H, W) to (N, width, H/stride, W/stride).
    """

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = make_shortcut(shortcut, in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y if self.shortcut is None else y + self.shortcut(x))


class Bottleneck(nn.Module):
    """1x1 to `width` channels, 3x3, 1x1 to 4 `width` channels, and a shortcut (figure 5).

    (N, in_channels, H, W) to (N, 4 width, H/stride, W/stride).
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.shortcut = make_shortcut(shortcut, in_channels, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y if self.shortcut is None else y + self.shortcut(x))


Block = type[BasicBlock] | type[Bottleneck]


def make_stage(block: Block, in_channels: int, width: int, depth: int, stride: int, shortcut: str) -> nn.Sequential:
    """Return `depth` blocks, the first with `stride`."""
    first = block(in_channels, width, stride=stride, shortcut=shortcut)
    out_channels = width * block.expansion
    return nn.Sequential(first, *(block(out_channels, width, stride=1, shortcut=shortcut) for _ in range(depth - 1)))


class ResNet(nn.Module):
    """The ImageNet family: four stages.

    Args:
        stem: `imagenet`, `small`, or `auto` for `small` below 64 pixels.
        shortcut: where the shape changes, `A` (zeros, no parameters) or `B` (1x1 projection); `none` removes all
            shortcuts, which gives the paper's plain network.
    """

    def __init__(
        self,
        block: Block,
        depths: tuple[int, ...],
        in_channels: int = 3,
        num_classes: int = 1000,
        image_size: int = 224,
        stem: StemForm = "auto",
        shortcut: Shortcut = "B",
    ) -> None:
        super().__init__()
        one_of("shortcut", shortcut, get_args(Shortcut), ValueError)
        self.stem = choose_stem(stem, image_size)
        if self.stem == "small":
            self.conv1 = nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False)
            self.pool1: nn.Module = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
            self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(64)
        outs = [width * block.expansion for width in WIDTHS]
        self.conv2_x = make_stage(block, 64, WIDTHS[0], depth=depths[0], stride=1, shortcut=shortcut)
        self.conv3_x = make_stage(block, outs[0], WIDTHS[1], depth=depths[1], stride=2, shortcut=shortcut)
        self.conv4_x = make_stage(block, outs[1], WIDTHS[2], depth=depths[2], stride=2, shortcut=shortcut)
        self.conv5_x = make_stage(block, outs[2], WIDTHS[3], depth=depths[3], stride=2, shortcut=shortcut)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(outs[3], num_classes)
        initialize_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 224, 224)
        x = torch.relu(self.bn1(self.conv1(x)))  # (N, 64, 112, 112)
        x = self.pool1(x)  # (N, 64, 56, 56)
        x = self.conv2_x(x)  # (N, 64, 56, 56)
        x = self.conv3_x(x)  # (N, 128, 28, 28)
        x = self.conv4_x(x)  # (N, 256, 14, 14)
        x = self.conv5_x(x)  # (N, 512, 7, 7)
        x = self.avgpool(x).flatten(1)  # (N, 512)
        return self.fc(x)  # (N, 1000)


class CifarResNet(nn.Module):
    """The CIFAR family: three stages of `depth` blocks, which have 6 `depth` + 2 layers with weights.

    Args:
        shortcut: as for `ResNet`.
    """

    def __init__(
        self, depth: int, in_channels: int = 3, num_classes: int = 10, image_size: int = 32, shortcut: Shortcut = "A"
    ) -> None:
        super().__init__()
        one_of("shortcut", shortcut, get_args(Shortcut), ValueError)
        widths = CIFAR_WIDTHS
        self.conv1 = nn.Conv2d(in_channels, 16, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2_x = make_stage(BasicBlock, 16, widths[0], depth=depth, stride=1, shortcut=shortcut)
        self.conv3_x = make_stage(BasicBlock, widths[0], widths[1], depth=depth, stride=2, shortcut=shortcut)
        self.conv4_x = make_stage(BasicBlock, widths[1], widths[2], depth=depth, stride=2, shortcut=shortcut)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[2], num_classes)
        initialize_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 32, 32)
        x = torch.relu(self.bn1(self.conv1(x)))  # (N, 16, 32, 32)
        x = self.conv2_x(x)  # (N, 16, 32, 32)
        x = self.conv3_x(x)  # (N, 32, 16, 16)
        x = self.conv4_x(x)  # (N, 64, 8, 8)
        x = self.avgpool(x).flatten(1)  # (N, 64)
        return self.fc(x)  # (N, 10)


resnet18 = builder(ResNet, "resnet18", "ResNet-18: 11,689,512 parameters.", BasicBlock, DEPTHS["resnet18"])
resnet34 = builder(ResNet, "resnet34", "ResNet-34: 21,797,672 parameters.", BasicBlock, DEPTHS["resnet34"])
resnet50 = builder(ResNet, "resnet50", "ResNet-50: 25,557,032 parameters.", Bottleneck, DEPTHS["resnet50"])

resnet20 = builder(CifarResNet, "resnet20", "ResNet-20: 269,722 parameters.", CIFAR_DEPTHS["resnet20"])
resnet32 = builder(CifarResNet, "resnet32", "ResNet-32: 464,154 parameters.", CIFAR_DEPTHS["resnet32"])
resnet44 = builder(CifarResNet, "resnet44", "ResNet-44: 658,586 parameters.", CIFAR_DEPTHS["resnet44"])
resnet56 = builder(CifarResNet, "resnet56", "ResNet-56: 853,018 parameters.", CIFAR_DEPTHS["resnet56"])
resnet110 = builder(CifarResNet, "resnet110", "ResNet-110: 1,727,962 parameters.", CIFAR_DEPTHS["resnet110"])
