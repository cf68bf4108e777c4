"""VGG: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014, table 1.

Differs from the paper: batch norm is an option; weights are initialized as in He et al., 2015, not from a trained
shallower network; `stem="small"` has the same convolutions, rounds the poolings up and has 512 units without dropout in
fc6 and fc7, as is usual for CIFAR.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from cnnlab.limits import Fraction
from cnnlab.models.builder import builder
from cnnlab.models.initialization import initialize_without_norm
from cnnlab.models.stem import StemForm, choose_stem
from cnnlab.ops.size import out_size

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = {
    "vgg11": (1, 1, 2, 2, 2),  # column A
    "vgg13": (2, 2, 2, 2, 2),  # column B
    "vgg16": (2, 2, 3, 3, 3),  # column D
    "vgg19": (2, 2, 4, 4, 4),  # column E
}


class VGG(nn.Module):
    """Five stages of 3x3 convolutions, each followed by a pooling, and three fully connected layers.

    Args:
        batch_norm: apply batch norm after each convolution.
        dropout: fraction of the units of fc6 and fc7 to drop in training. None is the paper's 0.5, and 0 with the small
            stem, whose 512 units do not start to learn with 0.5.
        stem: `imagenet`, `small`, or `auto` for `small` below 64 pixels.

    Raises:
        ValueError: `image_size` is below 32 with `stem="imagenet"`.
    """

    def __init__(
        self,
        depths: tuple[int, ...],
        in_channels: int = 3,
        num_classes: int = 1000,
        image_size: int = 224,
        batch_norm: bool = False,
        dropout: Fraction | None = None,
        stem: StemForm = "auto",
    ) -> None:
        super().__init__()
        self.stem = choose_stem(stem, image_size, "VGG", imagenet=32)
        small = self.stem == "small"
        side = image_size
        for _ in range(5):
            side = out_size(side, 2, stride=2, ceil_mode=small)
        hidden = 512 if small else 4096
        if dropout is None:
            dropout = 0.0 if small else 0.5
        self.conv1 = self._stage(1, in_channels, WIDTHS[0], depth=depths[0], batch_norm=batch_norm)
        self.pool1 = nn.MaxPool2d(kernel_size=2, ceil_mode=small)
        self.conv2 = self._stage(2, WIDTHS[0], WIDTHS[1], depth=depths[1], batch_norm=batch_norm)
        self.pool2 = nn.MaxPool2d(kernel_size=2, ceil_mode=small)
        self.conv3 = self._stage(3, WIDTHS[1], WIDTHS[2], depth=depths[2], batch_norm=batch_norm)
        self.pool3 = nn.MaxPool2d(kernel_size=2, ceil_mode=small)
        self.conv4 = self._stage(4, WIDTHS[2], WIDTHS[3], depth=depths[3], batch_norm=batch_norm)
        self.pool4 = nn.MaxPool2d(kernel_size=2, ceil_mode=small)
        self.conv5 = self._stage(5, WIDTHS[3], WIDTHS[4], depth=depths[4], batch_norm=batch_norm)
        self.pool5 = nn.MaxPool2d(kernel_size=2, ceil_mode=small)
        self.fc6 = nn.Linear(WIDTHS[4] * side * side, hidden)
        self.dropout6 = nn.Dropout(dropout)
        self.fc7 = nn.Linear(hidden, hidden)
        self.dropout7 = nn.Dropout(dropout)
        self.fc8 = nn.Linear(hidden, num_classes)
        initialize_without_norm(self, last=self.fc8)

    @staticmethod
    def _stage(number: int, in_channels: int, out_channels: int, depth: int, batch_norm: bool) -> nn.Sequential:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i in range(1, depth + 1):
            layers[f"conv{number}_{i}"] = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
            if batch_norm:
                layers[f"bn{number}_{i}"] = nn.BatchNorm2d(out_channels)
            layers[f"relu{number}_{i}"] = nn.ReLU()
            in_channels = out_channels
        return nn.Sequential(layers)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 224, 224)
        x = self.conv1(x)  # (N, 64, 224, 224)
        x = self.pool1(x)  # (N, 64, 112, 112)
        x = self.conv2(x)  # (N, 128, 112, 112)
        x = self.pool2(x)  # (N, 128, 56, 56)
        x = self.conv3(x)  # (N, 256, 56, 56)
        x = self.pool3(x)  # (N, 256, 28, 28)
        x = self.conv4(x)  # (N, 512, 28, 28)
        x = self.pool4(x)  # (N, 512, 14, 14)
        x = self.conv5(x)  # (N, 512, 14, 14)
        x = self.pool5(x)  # (N, 512, 7, 7)
        x = x.flatten(1)  # (N, 25088)
        x = self.dropout6(torch.relu(self.fc6(x)))  # (N, 4096)
        x = self.dropout7(torch.relu(self.fc7(x)))  # (N, 4096)
        return self.fc8(x)  # (N, 1000)


vgg11 = builder(VGG, "vgg11", "VGG-11: 132,863,336 parameters, 132,868,840 with batch norm.", DEPTHS["vgg11"])
vgg13 = builder(VGG, "vgg13", "VGG-13: 133,047,848 parameters, 133,053,736 with batch norm.", DEPTHS["vgg13"])
vgg16 = builder(VGG, "vgg16", "VGG-16: 138,357,544 parameters, 138,365,992 with batch norm.", DEPTHS["vgg16"])
vgg19 = builder(VGG, "vgg19", "VGG-19: 143,667,240 parameters, 143,678,248 with batch norm.", DEPTHS["vgg19"])
