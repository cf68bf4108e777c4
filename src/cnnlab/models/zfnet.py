"""ZFNet: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2013, figure 3.

Differs from the paper: weights are initialized as in He et al., 2015, not with standard deviation 0.01; `stem="small"`
has stride 1 in the first two convolutions (3x3, then 5x5 with padding) and 1,024 units in fc6 and fc7.
"""

import torch
from torch import Tensor, nn

from cnnlab.limits import Fraction
from cnnlab.models.alexnet import ResponseNorm
from cnnlab.models.builder import builder
from cnnlab.models.initialization import initialize_without_norm
from cnnlab.models.stem import StemForm, choose_stem
from cnnlab.ops.size import size_through


class ZFNet(nn.Module):
    """AlexNet with one tower and a smaller kernel and stride in the first layer.

    Args:
        response_norm: apply local response normalization after pool1 and pool2.
        dropout: fraction of the units of fc6 and fc7 to drop in training.
        stem: `imagenet`, `small`, or `auto` for `small` below 64 pixels.

    Raises:
        ValueError: `image_size` is below 53, or below 9 with the small stem.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1000,
        image_size: int = 224,
        response_norm: bool = True,
        dropout: Fraction = 0.5,
        stem: StemForm = "auto",
    ) -> None:
        super().__init__()
        self.stem = choose_stem(stem, image_size, "ZFNet", small=9, imagenet=53)
        if self.stem == "small":
            self.conv1 = nn.Conv2d(in_channels, 96, kernel_size=3, padding=1)
            self.conv2 = nn.Conv2d(96, 256, kernel_size=5, padding=2)
            side, hidden = size_through(image_size, (3, 2, 1), (3, 2, 1), (3, 2, 0)), 1024  # pool1, pool2, pool5
        else:
            self.conv1 = nn.Conv2d(in_channels, 96, kernel_size=7, stride=2, padding=1)
            self.conv2 = nn.Conv2d(96, 256, kernel_size=5, stride=2)
            # conv1, pool1, conv2, pool2, pool5
            side, hidden = size_through(image_size, (7, 2, 1), (3, 2, 1), (5, 2, 0), (3, 2, 1), (3, 2, 0)), 4096
        self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.norm1 = ResponseNorm() if response_norm else nn.Identity()
        self.pool2 = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.norm2 = ResponseNorm() if response_norm else nn.Identity()
        self.conv3 = nn.Conv2d(256, 384, kernel_size=3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, kernel_size=3, padding=1)
        self.conv5 = nn.Conv2d(384, 256, kernel_size=3, padding=1)
        self.pool5 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.fc6 = nn.Linear(256 * side * side, hidden)
        self.dropout6 = nn.Dropout(dropout)
        self.fc7 = nn.Linear(hidden, hidden)
        self.dropout7 = nn.Dropout(dropout)
        self.fc8 = nn.Linear(hidden, num_classes)
        initialize_without_norm(self, last=self.fc8)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 224, 224)
        x = torch.relu(self.conv1(x))  # (N, 96, 110, 110)
        x = self.norm1(self.pool1(x))  # (N, 96, 55, 55)
        x = torch.relu(self.conv2(x))  # (N, 256, 26, 26)
        x = self.norm2(self.pool2(x))  # (N, 256, 13, 13)
        x = torch.relu(self.conv3(x))  # (N, 384, 13, 13)
        x = torch.relu(self.conv4(x))  # (N, 384, 13, 13)
        x = torch.relu(self.conv5(x))  # (N, 256, 13, 13)
        x = self.pool5(x)  # (N, 256, 6, 6)
        x = x.flatten(1)  # (N, 9216)
        x = self.dropout6(torch.relu(self.fc6(x)))  # (N, 4096)
        x = self.dropout7(torch.relu(self.fc7(x)))  # (N, 4096)
        return self.fc8(x)  # (N, 1000)


zfnet = builder(ZFNet, "zfnet", "ZFNet: 62,357,608 parameters.")
