"""GoogLeNet as Zhang et al., "Dive into deep learning", section 8.4, code it, for one channel of 96 pixels.

The study notes use this form; `googlenet` is the published one.

Differs from the paper: there is no local response normalization, dropout or auxiliary head; the poolings are padded;
weights are initialized as in He et al., 2015; and, as in the edition that the notes follow, no ReLU follows the 3x3
convolution of the second block.
"""

import torch
from torch import Tensor, nn

from cnnlab.models.builder import builder
from cnnlab.models.googlenet import INCEPTIONS, Inception
from cnnlab.models.initialization import initialize_without_norm


class GoogLeNetOfD2L(nn.Module):
    """Two blocks of convolutions, nine inceptions, and one fully connected layer."""

    def __init__(self, in_channels: int = 1, num_classes: int = 10, image_size: int = 96) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3)
        self.reduce2 = nn.Conv2d(64, 64, kernel_size=1)
        self.conv2 = nn.Conv2d(64, 192, kernel_size=3, padding=1)
        self.inception_3a = Inception(192, INCEPTIONS["3a"], batch_norm=False)
        self.inception_3b = Inception(256, INCEPTIONS["3b"], batch_norm=False)
        self.inception_4a = Inception(480, INCEPTIONS["4a"], batch_norm=False)
        self.inception_4b = Inception(512, INCEPTIONS["4b"], batch_norm=False)
        self.inception_4c = Inception(512, INCEPTIONS["4c"], batch_norm=False)
        self.inception_4d = Inception(512, INCEPTIONS["4d"], batch_norm=False)
        self.inception_4e = Inception(528, INCEPTIONS["4e"], batch_norm=False)
        self.inception_5a = Inception(832, INCEPTIONS["5a"], batch_norm=False)
        self.inception_5b = Inception(832, INCEPTIONS["5b"], batch_norm=False)
        self.pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.inception_5b.out_channels, num_classes)
        initialize_without_norm(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 96, 96)
        x = torch.relu(self.conv1(x))  # (N, 64, 48, 48)
        x = self.pool(x)  # (N, 64, 24, 24)
        x = torch.relu(self.reduce2(x))  # (N, 64, 24, 24)
        x = self.conv2(x)  # (N, 192, 24, 24)
        x = self.pool(x)  # (N, 192, 12, 12)
        x = self.inception_3b(self.inception_3a(x))  # (N, 480, 12, 12)
        x = self.pool(x)  # (N, 480, 6, 6)
        x = self.inception_4b(self.inception_4a(x))  # (N, 512, 6, 6)
        x = self.inception_4d(self.inception_4c(x))  # (N, 528, 6, 6)
        x = self.inception_4e(x)  # (N, 832, 6, 6)
        x = self.pool(x)  # (N, 832, 3, 3)
        x = self.inception_5b(self.inception_5a(x))  # (N, 1024, 3, 3)
        x = self.avgpool(x).flatten(1)  # (N, 1024)
        return self.fc(x)  # (N, 10)


googlenet_d2l = builder(
    GoogLeNetOfD2L, "googlenet_d2l", "GoogLeNet as in Dive into deep learning: 5,977,530 parameters."
)
