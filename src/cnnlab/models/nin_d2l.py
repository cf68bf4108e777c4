"""Network in network as Zhang et al., "Dive into deep learning", section 8.3, code it, for one channel of 224 pixels.

The study notes use this form. `nin` has the same parameters at this size, rounds its poolings up, and has no ReLU on
its logits.

Differs from the paper: the kernels and widths are AlexNet's, the poolings round down (26, 12, 5 pixels), ReLU follows
the last 1x1 convolution too, there is one dropout, and weights
are initialized as in He et al., 2015.
"""

from torch import Tensor, nn

from cnnlab.limits import Fraction
from cnnlab.models.builder import builder
from cnnlab.models.initialization import initialize_without_norm
from cnnlab.models.nin import MLPConv
from cnnlab.models.stem import check_size


class NiNofD2L(nn.Module):
    """Four blocks of a convolution and two 1x1 convolutions, with max pooling between them.

    A class whose logit is 0 for all images gets no gradient, so some seeds stay at chance.

    Args:
        dropout: fraction of the values to drop before the last block, in training.

    Raises:
        ValueError: `image_size` is below 67.
    """

    def __init__(
        self, in_channels: int = 1, num_classes: int = 10, image_size: int = 224, dropout: Fraction = 0.5
    ) -> None:
        super().__init__()
        check_size("NiN of Dive into deep learning", image_size, smallest=67)
        self.mlpconv1 = MLPConv(in_channels, (96, 96, 96), kernel_size=11, stride=4)
        self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.mlpconv2 = MLPConv(96, (256, 256, 256), kernel_size=5, padding=2)
        self.pool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.mlpconv3 = MLPConv(256, (384, 384, 384), kernel_size=3, padding=1)
        self.pool3 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.dropout3 = nn.Dropout(dropout)
        self.mlpconv4 = MLPConv(384, (num_classes, num_classes, num_classes), kernel_size=3, padding=1)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        initialize_without_norm(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 224, 224)
        x = self.mlpconv1(x)  # (N, 96, 54, 54)
        x = self.pool1(x)  # (N, 96, 26, 26)
        x = self.mlpconv2(x)  # (N, 256, 26, 26)
        x = self.pool2(x)  # (N, 256, 12, 12)
        x = self.mlpconv3(x)  # (N, 384, 12, 12)
        x = self.dropout3(self.pool3(x))  # (N, 384, 5, 5)
        x = self.mlpconv4(x)  # (N, 10, 5, 5)
        return self.avgpool(x).flatten(1)  # (N, 10)


nin_d2l = builder(NiNofD2L, "nin_d2l", "Network in network as in Dive into deep learning: 1,992,166 parameters.")
