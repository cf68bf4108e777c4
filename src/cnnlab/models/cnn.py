"""Our small network for CIFAR-10: blocks of convolution and pooling, each as wide again, then a fully connected layer.

The study notes' own form, with one pooling after all convolutions, is `cnn_notes`.

Differs from the paper: nothing, as no paper describes it.
"""

from torch import Tensor, nn

from cnnlab.limits import Count
from cnnlab.models.builder import builder
from cnnlab.models.stem import check_size
from cnnlab.ops.size import size_through


class Block(nn.Module):
    """3x3 convolution, optional batch norm, ReLU, 2x2 max pooling: (N, C, H, W) to (N, out_channels, H/2, W/2)."""

    def __init__(self, in_channels: int, out_channels: int, batch_norm: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=not batch_norm)
        self.norm = nn.BatchNorm2d(out_channels) if batch_norm else nn.Identity()
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(kernel_size=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.relu(self.norm(self.conv(x))))


class CNN(nn.Module):
    """`blocks` blocks with `width`, 2 `width`, 4 `width`, ... channels.

    Args:
        batch_norm: apply batch norm after each convolution.
        global_pooling: average each map of the last block before the fully connected layer, which then has fewer
            weights and does not see positions.

    Raises:
        ValueError: `blocks` or `width` is below 1, or `image_size` is below 2 to the power of `blocks`.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int = 32,
        blocks: Count = 3,
        width: Count = 32,
        batch_norm: bool = True,
        global_pooling: bool = False,
    ) -> None:
        super().__init__()
        check_size(f"CNN with blocks={blocks}", image_size, smallest=2**blocks)
        side = size_through(image_size, *[(2, 2, 0)] * blocks)
        widths = [width * 2**i for i in range(blocks)]
        self.blocks = nn.Sequential(
            *(Block(before, after, batch_norm) for before, after in zip([in_channels, *widths], widths, strict=False))
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1) if global_pooling else nn.Identity()
        self.classifier = nn.Linear(widths[-1] * (1 if global_pooling else side * side), num_classes)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 32, 32)
        x = self.blocks(x)  # (N, 128, 4, 4)
        x = self.avgpool(x)  # (N, 128, 4, 4)
        x = x.flatten(1)  # (N, 2048)
        return self.classifier(x)  # (N, 10)


cnn = builder(CNN, "cnn", "A small convolutional network for CIFAR-10: 113,962 parameters.")
