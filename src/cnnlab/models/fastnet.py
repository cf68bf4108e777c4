"""A network for the highest accuracy per second: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024
(arXiv:2404.00498), section 3 and its listing.

Differs from the paper: the last pooling covers the whole map, which for 32 pixels is the paper's 3x3, so that images of
other sizes fit; the whitening's biases are trained to the end, not only in the first epochs; the covariance is about
the patches' mean.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.models.stem import check_size
from cnnlab.models.variants import variant

EPSILON = 5e-4  # added to the patches' variances, so that directions with little variance are not amplified
PATCH = 2  # pixels, the side of the first layer's filters
AT_ONCE = 250  # images of which the patches are in memory together


class ShiftNorm(nn.BatchNorm2d):
    """Batch norm with a trained shift and a scale of 1; its running statistics change faster than PyTorch's default."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-12, momentum=0.4)
        self.weight.requires_grad_(False)  # without a scale, PyTorch's GPU kernels compute no gradient of the shift


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
    """A whitening layer, three blocks and a linear head.

    Args:
        widths: channels of the three blocks.
        whitening_images: the training images from whose patches the first layer is computed; 0: it is trained.
        dirac: whether to initialize the first filters of each convolution as the identity.
        scale: of the logits.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int = 32,
        widths: Sequence[int] = (64, 256, 256),
        whitening_images: int = 5000,
        dirac: bool = True,
        scale: float = 1 / 9,
    ) -> None:
        super().__init__()
        if len(widths) != 3 or min(widths) < 1:
            raise ValueError(f"widths must be three numbers of at least 1, got {list(widths)}")
        if whitening_images < 0:
            raise ValueError(f"whitening_images must be at least 0, got {whitening_images}")
        check_size("fastnet", image_size, smallest=9)
        self.whitening_images, self.scale = whitening_images, scale
        first = 2 * in_channels * PATCH * PATCH  # each direction of a patch, and its negative
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
        """Set the first layer's filters and freeze them; the biases start at 0 and are trained.

        A filter is an eigenvector of the covariance of all patches of 2x2 pixels, divided by the patches' standard
        deviation along it. The second half of the filters are the negatives of the first, as GELU passes one sign only.

        Args:
            images: normalized, (N, C, H, W).
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


fastnet = variant("fastnet", FastNet, "The paper's network of 94 %: 1,971,640 parameters, 288 of them fixed.")
