"""GoogLeNet: Szegedy et al., "Going deeper with convolutions", 2014, table 1 and figure 3.

Differs from the paper: batch norm is an option that replaces the local response normalization; weights are initialized
as in He et al., 2015; the auxiliary heads are optional; `stem="small"` replaces all layers before inception (3a), which
reduce the side by 8, with one 3x3 convolution.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cnnlab.limits import Fraction
from cnnlab.models.alexnet import ResponseNorm
from cnnlab.models.builder import builder
from cnnlab.models.initialization import initialize_without_norm
from cnnlab.models.stem import StemForm, choose_stem
from cnnlab.ops.size import out_size

# The columns of table 1: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj.
INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
AUXILIARY_WEIGHT = 0.3  # section 5


class GoogLeNetOutput(NamedTuple):
    """The output in training mode: logits of the network and of its auxiliary heads, each (N, num_classes)."""

    logits: Tensor
    auxiliary1: Tensor
    auxiliary2: Tensor


class Conv(nn.Module):
    """Padded convolution, optional batch norm, ReLU: (N, C, H, W) to (N, out_channels, H/stride, W/stride)."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, batch_norm: bool, stride: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=not batch_norm
        )
        self.norm = nn.BatchNorm2d(out_channels, eps=1e-3) if batch_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(x)))


class Inception(nn.Module):
    """Figure 2b: four parallel branches, concatenated: (N, in_channels, H, W) to (N, self.out_channels, H, W)."""

    def __init__(self, in_channels: int, widths: tuple[int, ...], batch_norm: bool) -> None:
        super().__init__()
        one, three_reduce, three, five_reduce, five, pool_proj = widths
        self.conv1x1 = Conv(in_channels, one, kernel_size=1, batch_norm=batch_norm)
        self.reduce3x3 = Conv(in_channels, three_reduce, kernel_size=1, batch_norm=batch_norm)
        self.conv3x3 = Conv(three_reduce, three, kernel_size=3, batch_norm=batch_norm)
        self.reduce5x5 = Conv(in_channels, five_reduce, kernel_size=1, batch_norm=batch_norm)
        self.conv5x5 = Conv(five_reduce, five, kernel_size=5, batch_norm=batch_norm)
        self.pool = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
        self.pool_proj = Conv(in_channels, pool_proj, kernel_size=1, batch_norm=batch_norm)
        self.out_channels = one + three + five + pool_proj

    def forward(self, x: Tensor) -> Tensor:
        branches = (
            self.conv1x1(x),
            self.conv3x3(self.reduce3x3(x)),
            self.conv5x5(self.reduce5x5(x)),
            self.pool_proj(self.pool(x)),
        )
        return torch.cat(branches, dim=1)


class Auxiliary(nn.Module):
    """Section 5: a classifier that adds gradient in the middle: (N, in_channels, side, side) to (N, num_classes)."""

    def __init__(self, in_channels: int, num_classes: int, side: int, batch_norm: bool) -> None:
        super().__init__()
        window = min(5, side)  # the paper pools 5x5 of 14x14
        pooled = out_size(side, window, stride=3)
        self.pool = nn.AvgPool2d(kernel_size=window, stride=3)
        self.conv = Conv(in_channels, 128, kernel_size=1, batch_norm=batch_norm)
        self.fc1 = nn.Linear(128 * pooled * pooled, 1024)
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.pool(x)).flatten(1)
        return self.fc2(self.dropout(torch.relu(self.fc1(x))))


class Stem(nn.Sequential):
    """From the image to inception (3a): (N, in_channels, H, W) to (N, 192, H/8, W/8)."""

    def __init__(self, in_channels: int, batch_norm: bool) -> None:
        super().__init__()
        self.conv1 = Conv(in_channels, 64, kernel_size=7, stride=2, batch_norm=batch_norm)
        self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.norm1 = nn.Identity() if batch_norm else ResponseNorm()
        self.reduce2 = Conv(64, 64, kernel_size=1, batch_norm=batch_norm)
        self.conv2 = Conv(64, 192, kernel_size=3, batch_norm=batch_norm)
        self.norm2 = nn.Identity() if batch_norm else ResponseNorm()
        self.pool2 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)


class GoogLeNet(nn.Module):
    """Nine inceptions and, in training, two auxiliary heads.

    Args:
        batch_norm: apply batch norm after each convolution.
        auxiliary: add the auxiliary heads, which are computed in training mode only.
        dropout: fraction of the last 1,024 features to drop in training.
        stem: `imagenet`, `small`, or `auto` for `small` below 64 pixels.

    Attributes:
        auxiliary_weight: factor of the loss of each auxiliary head.

    Raises:
        ValueError: `image_size` is below 31, or below 4 with the small stem.
    """

    auxiliary_weight = AUXILIARY_WEIGHT

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1000,
        image_size: int = 224,
        batch_norm: bool = False,
        auxiliary: bool = True,
        dropout: Fraction = 0.4,
        stem: StemForm = "auto",
    ) -> None:
        super().__init__()
        self.stem = choose_stem(stem, image_size, "GoogLeNet", small=4, imagenet=31)
        small = self.stem == "small"
        self.before: nn.Module = Conv(in_channels, 192, kernel_size=3, batch_norm=batch_norm)
        side = image_size // 2
        if not small:
            self.before = Stem(in_channels, batch_norm)
            side = (image_size + 1) // 16
        self._add_inceptions(batch_norm)
        self.pool3 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.pool4 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.inception_5b.out_channels, num_classes)
        self.auxiliary = auxiliary
        if auxiliary:
            self.auxiliary1 = Auxiliary(self.inception_4a.out_channels, num_classes, side, batch_norm)
            self.auxiliary2 = Auxiliary(self.inception_4d.out_channels, num_classes, side, batch_norm)
        initialize_without_norm(self)

    def _add_inceptions(self, batch_norm: bool) -> None:
        self.inception_3a = Inception(192, INCEPTIONS["3a"], batch_norm)
        self.inception_3b = Inception(256, INCEPTIONS["3b"], batch_norm)
        self.inception_4a = Inception(480, INCEPTIONS["4a"], batch_norm)
        self.inception_4b = Inception(512, INCEPTIONS["4b"], batch_norm)
        self.inception_4c = Inception(512, INCEPTIONS["4c"], batch_norm)
        self.inception_4d = Inception(512, INCEPTIONS["4d"], batch_norm)
        self.inception_4e = Inception(528, INCEPTIONS["4e"], batch_norm)
        self.inception_5a = Inception(832, INCEPTIONS["5a"], batch_norm)
        self.inception_5b = Inception(832, INCEPTIONS["5b"], batch_norm)

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutput:  # (N, 3, 224, 224)
        x = self.before(x)  # (N, 192, 28, 28)
        x = self.inception_3a(x)  # (N, 256, 28, 28)
        x = self.inception_3b(x)  # (N, 480, 28, 28)
        x = self.pool3(x)  # (N, 480, 14, 14)
        x = after_4a = self.inception_4a(x)  # (N, 512, 14, 14)
        x = self.inception_4b(x)  # (N, 512, 14, 14)
        x = self.inception_4c(x)  # (N, 512, 14, 14)
        x = after_4d = self.inception_4d(x)  # (N, 528, 14, 14)
        x = self.inception_4e(x)  # (N, 832, 14, 14)
        x = self.pool4(x)  # (N, 832, 7, 7)
        x = self.inception_5a(x)  # (N, 832, 7, 7)
        x = self.inception_5b(x)  # (N, 1024, 7, 7)
        x = self.avgpool(x).flatten(1)  # (N, 1024)
        logits = self.fc(self.dropout(x))  # (N, 1000)
        if self.training and self.auxiliary:
            return GoogLeNetOutput(logits, self.auxiliary1(after_4a), self.auxiliary2(after_4d))
        return logits


googlenet = builder(GoogLeNet, "googlenet", "GoogLeNet: 6,998,552 parameters, and 6,379,728 in its auxiliary heads.")
