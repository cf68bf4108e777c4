"""The study notes' network for CIFAR-10: convolutions, one pooling layer, and two fully connected layers.

`cnn` is our own network of this size: it pools and doubles the width in every block.

Differs from the paper: nothing, as no paper describes it; the notes leave widths and kernel size open.
"""

from itertools import pairwise

from torch import Tensor, nn

from cnnlab.limits import Count
from cnnlab.models.builder import builder
from cnnlab.models.stem import check_size


class Module(nn.Module):
    """3x3 convolution, optional batch norm, ReLU: (N, C, H, W) to (N, out_channels, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, batch_norm: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm2d(out_channels) if batch_norm else nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.norm(self.conv(x)))


class NotesCNN(nn.Module):
    """`blocks` modules of the same width, one 2x2 max pooling, and two fully connected layers.

    Args:
        blocks: number of modules before the pooling.
        width: channels of each module.
        hidden: units of the first fully connected layer.
        batch_norm: apply batch norm after each convolution.

    Raises:
        ValueError: `blocks`, `width` or `hidden` is below 1, or `image_size` is below 2.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int = 32,
        blocks: Count = 3,
        width: Count = 16,
        hidden: Count = 64,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        check_size("the notes' CNN", image_size, smallest=2)
        widths = [in_channels, *[width] * blocks]
        self.blocks = nn.Sequential(*(Module(before, after, batch_norm) for before, after in pairwise(widths)))
        self.pool = nn.MaxPool2d(kernel_size=2)
        self.fc1 = nn.Linear(width * (image_size // 2) ** 2, hidden)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 32, 32)
        x = self.blocks(x)  # (N, 16, 32, 32)
        x = self.pool(x)  # (N, 16, 16, 16)
        x = x.flatten(1)  # (N, 4096)
        x = self.relu(self.fc1(x))  # (N, 64)
        return self.fc2(x)  # (N, 10)


cnn_notes = builder(NotesCNN, "cnn_notes", "The study notes' network for CIFAR-10: 268,042 parameters.")
