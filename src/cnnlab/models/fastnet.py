"""A network for the most accuracy a second: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024
(arXiv:2404.00498), section 3 and its listing.

Differs from the paper: the last pooling is over the whole map, which for 32 pixels is the paper's 3x3, so that images
of other sizes fit; the whitening's biases learn to the end, and not for the first epochs alone; the covariance is about
the patches' mean.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UserError
from cnnlab.models.stem import check_size

EPSILON = 5e-4  # added to the patches' variances, so that what hardly varies is not blown up
PATCH = 2  # pixels, the side of the first layer's filters
AT_ONCE = 250  # images of which the patches are in memory together


class ShiftNorm(nn.BatchNorm2d):
    """Batch norm that learns a shift, its scale staying 1; its statistics forget faster than PyTorch's usual 0.1."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-12, momentum=0.4)
        self.weight.requires_grad_(False)  # and there, as without a scale PyTorch's kernels for GPUs give no gradient


class Block(nn.Module):
    """3x3 convolution, 2x2 max pooling, norm and GELU; 3x3 convolution, norm and GELU.

    (N, in_channels, H, W) to (N, out_channels, H/2, W/2).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(kernel_size=2)
        self.norm1 = ShiftNorm(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.norm2 = ShiftNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.norm1(self.pool(self.conv1(x))))
        return F.gelu(self.norm2(self.conv2(x)))


class FastNet(nn.Module):
    """
    Attributes:
        whitening_images: how many training images `whiten` is to be given before training; 0 if the first layer learns.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        image_size: int,
        widths: Sequence[int],
        whitening_images: int,
        dirac: bool,
        scale: float,
    ) -> None:
        super().__init__()
        if len(widths) != 3 or min(widths) < 1:
            raise UserError(f"widths must be three numbers of at least 1, got {list(widths)}")
        if whitening_images < 0:
            raise UserError(f"whitening_images must be at least 0, got {whitening_images}")
        check_size("fastnet", image_size, smallest=9)
        self.whitening_images, self.scale = whitening_images, scale
        first = 2 * in_channels * PATCH * PATCH  # each direction of a patch, and its opposite
        self.whitening = nn.Conv2d(in_channels, first, kernel_size=PATCH)
        self.block1 = Block(first, widths[0])
        self.block2 = Block(widths[0], widths[1])
        self.block3 = Block(widths[1], widths[2])
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.head = nn.Linear(widths[2], num_classes, bias=False)
        if dirac:
            for block in (self.block1, self.block2, self.block3):
                for conv in (block.conv1, block.conv2):
                    nn.init.dirac_(conv.weight.data[: conv.in_channels])

    @torch.no_grad()
    def whiten(self, images: Tensor) -> None:
        """Set the first layer's filters, and let them stay as they are, while the biases start at 0 and learn.

        A filter is an eigenvector of the covariance of all patches of 2x2 pixels, over the patches' standard deviation
        along it; the second half are the first with the other sign, as GELU keeps but one of the two.

        Args:
            images: (N, C, H, W), as the network gets them.
        """
        channels = images.shape[1]
        count, total, products = 0, torch.zeros(()), torch.zeros(())
        for some in images.split(AT_ONCE):
            patches = F.unfold(some, kernel_size=PATCH).transpose(1, 2).flatten(0, 1).double()
            count, total, products = count + len(patches), total + patches.sum(0), products + patches.T @ patches
        mean = total / count
        variances, directions = torch.linalg.eigh(products / count - mean.outer(mean))
        filters = (directions / (variances + EPSILON).sqrt()).T.view(-1, channels, PATCH, PATCH)
        self.whitening.weight.copy_(torch.cat((filters, -filters)))
        self.whitening.weight.requires_grad_(False)
        assert self.whitening.bias is not None
        self.whitening.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 32, 32)
        x = F.gelu(self.whitening(x))  # (N, 24, 31, 31)
        x = self.block1(x)  # (N, 64, 15, 15)
        x = self.block2(x)  # (N, 256, 7, 7)
        x = self.block3(x)  # (N, 256, 3, 3)
        x = self.pool(x).flatten(1)  # (N, 256)
        return self.head(x) * self.scale  # (N, 10)


def fastnet(
    in_channels: int = 3,
    num_classes: int = 10,
    image_size: int = 32,
    widths: Sequence[int] = (64, 256, 256),
    whitening_images: int = 5000,
    dirac: bool = True,
    scale: float = 1 / 9,
) -> FastNet:
    """The paper's network of 94 %: 1,971,640 parameters, of which the 288 of the whitening do not learn;
    the norms' scales, which stay 1, are not counted.

    Args:
        widths: channels of the three blocks.
        whitening_images: training images from whose patches the first layer's filters are; 0: they learn.
        dirac: whether a convolution starts by passing on its inputs in its first filters.
        scale: of the scores.
    """
    return FastNet(in_channels, num_classes, image_size, widths, whitening_images, dirac, scale)
