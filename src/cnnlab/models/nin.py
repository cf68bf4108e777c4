"""Network in network: Lin, Chen and Yan, "Network in network", 2013, figure 2.

The CIFAR form has the widths of the authors' published network. The 224-pixel form is from Zhang et al., "Dive into
deep learning", section 8.3: AlexNet's kernels, each followed by two 1x1 convolutions.

Differs from the paper: no ReLU on the logits, because a class whose logit is 0 for all images would get no gradient;
weights are initialized as in He et al., 2015.
"""

import torch
from torch import Tensor, nn

from cnnlab.limits import Fraction, checked
from cnnlab.models.builder import check_shape
from cnnlab.models.initialization import initialize_without_norm
from cnnlab.models.stem import StemForm, choose_stem


class MLPConv(nn.Module):
    """A convolution and two 1x1 convolutions, which are a small perceptron at each position; ReLU after each.

    (N, in_channels, H, W) to (N, widths[2], H/stride, W/stride). With `logits` there is no ReLU after the last.
    """

    def __init__(
        self,
        in_channels: int,
        widths: tuple[int, int, int],
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        logits: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, widths[0], kernel_size=kernel_size, stride=stride, padding=padding)
        self.cccp1 = nn.Conv2d(widths[0], widths[1], kernel_size=1)
        self.cccp2 = nn.Conv2d(widths[1], widths[2], kernel_size=1)
        self.logits = logits

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv(x))
        x = torch.relu(self.cccp1(x))
        x = self.cccp2(x)
        return x if self.logits else torch.relu(x)


class SmallNiN(nn.Module):
    """The paper's network for CIFAR-10."""

    stem = "small"

    def __init__(self, in_channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.mlpconv1 = MLPConv(in_channels, (192, 160, 96), kernel_size=5, padding=2)
        self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.dropout1 = nn.Dropout(dropout)
        self.mlpconv2 = MLPConv(96, (192, 192, 192), kernel_size=5, padding=2)
        self.pool2 = nn.AvgPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.dropout2 = nn.Dropout(dropout)
        self.mlpconv3 = MLPConv(192, (192, 192, num_classes), kernel_size=3, padding=1, logits=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        initialize_without_norm(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 32, 32)
        x = self.mlpconv1(x)  # (N, 96, 32, 32)
        x = self.dropout1(self.pool1(x))  # (N, 96, 16, 16)
        x = self.mlpconv2(x)  # (N, 192, 16, 16)
        x = self.dropout2(self.pool2(x))  # (N, 192, 8, 8)
        x = self.mlpconv3(x)  # (N, 10, 8, 8)
        return self.avgpool(x).flatten(1)  # (N, 10)


class ImageNetNiN(nn.Module):
    """The form for 224 pixels. Its poolings round up, as in the CIFAR form."""

    stem = "imagenet"

    def __init__(self, in_channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.mlpconv1 = MLPConv(in_channels, (96, 96, 96), kernel_size=11, stride=4)
        self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.mlpconv2 = MLPConv(96, (256, 256, 256), kernel_size=5, padding=2)
        self.pool2 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.mlpconv3 = MLPConv(256, (384, 384, 384), kernel_size=3, padding=1)
        self.pool3 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.dropout3 = nn.Dropout(dropout)
        classes = (num_classes, num_classes, num_classes)
        self.mlpconv4 = MLPConv(384, classes, kernel_size=3, padding=1, logits=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        initialize_without_norm(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 224, 224)
        x = self.mlpconv1(x)  # (N, 96, 54, 54)
        x = self.pool1(x)  # (N, 96, 27, 27)
        x = self.mlpconv2(x)  # (N, 256, 27, 27)
        x = self.pool2(x)  # (N, 256, 13, 13)
        x = self.mlpconv3(x)  # (N, 384, 13, 13)
        x = self.dropout3(self.pool3(x))  # (N, 384, 6, 6)
        x = self.mlpconv4(x)  # (N, 10, 6, 6)
        return self.avgpool(x).flatten(1)  # (N, 10)


@checked
def nin(
    in_channels: int = 3, num_classes: int = 10, image_size: int = 32, dropout: Fraction = 0.5, stem: StemForm = "auto"
) -> SmallNiN | ImageNetNiN:
    """Network in network: 966,986 parameters; in the 224-pixel form, with one channel and 10 classes, 1,992,166.

    Args:
        dropout: fraction of the values to drop after each pooling (the last one in the 224-pixel form), in training.
        stem: `small` for the CIFAR form, `imagenet`, or `auto` for `small` below 64 pixels.

    Raises:
        ValueError: `image_size` is below 39, or below 4 with the small stem.
    """
    check_shape(in_channels, num_classes, image_size)
    chosen = choose_stem(stem, image_size, "NiN", small=4, imagenet=39)
    form = SmallNiN if chosen == "small" else ImageNetNiN
    return form(in_channels, num_classes, dropout=dropout)
