"""A network for fast training: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024 (arXiv:2404.00498),
section 3 and the listing.

Differs from the paper: the last pooling covers the whole map (3x3 for 32 pixels, as in the paper), so other image sizes
work; the biases of the whitening layer are trained to the end unless `bias_until` says otherwise; the covariance is
centered on the mean of the patches.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.limits import Count, Fraction, Natural
from cnnlab.models.builder import builder
from cnnlab.models.stem import check_size

EPSILON = 5e-4  # added to the variances, so directions with almost no variance are not amplified
PATCH = 2  # kernel size of the first layer
CHUNK = 250  # images whose patches are in memory together


class ShiftNorm(nn.BatchNorm2d):
    """Batch norm with a trained shift and a fixed scale of 1."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-12, momentum=0.4)
        self.weight.requires_grad_(False)  # not None: without it, PyTorch's GPU kernels give no gradient


class Block(nn.Module):
    """3x3 convolution, 2x2 max pooling, norm, GELU; 3x3 convolution, norm, GELU.

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
    """A whitening layer and three blocks of two convolutions.

    Args:
        widths: output channels of the three blocks.
        whitening_images: number of training images from which `whiten` computes the first layer; 0 trains it instead.
        bias_until: fraction of the run up to which the biases of the whitening layer are trained.
        dirac: initialize the first filters of each 3x3 convolution as the identity.
        scale: factor of the logits.

    Raises:
        ValueError: `widths` are not three positive numbers, `whitening_images` is negative, `bias_until` is
            outside [0, 1], or `image_size` is below 9.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int = 32,
        widths: tuple[Count, Count, Count] = (64, 256, 256),
        whitening_images: Natural = 5000,
        bias_until: Fraction = 1.0,
        dirac: bool = True,
        scale: float = 1 / 9,
    ) -> None:
        super().__init__()
        check_size("FastNet", image_size, smallest=9)
        self.whitening_images, self.bias_until, self.scale = whitening_images, bias_until, scale
        first = 2 * in_channels * PATCH * PATCH  # each principal direction of a patch, with both signs
        self.whitening = nn.Conv2d(in_channels, first, kernel_size=PATCH)
        self.block1 = Block(first, widths[0])
        self.block2 = Block(widths[0], widths[1])
        self.block3 = Block(widths[1], widths[2])
        self.head = nn.Linear(widths[2], num_classes, bias=False)
        if dirac:
            for block in (self.block1, self.block2, self.block3):
                for conv in (block.conv1, block.conv2):
                    nn.init.dirac_(conv.weight.data[: conv.in_channels])

    @torch.no_grad()
    def whiten(self, images: Tensor) -> None:
        """Set and freeze the first layer's filters, and reset its biases to 0. The biases are trained.

        The filters are the eigenvectors of the covariance of all 2x2 patches, each divided by the standard deviation
        along it. The second half repeats them with the opposite sign, because GELU keeps only one sign.

        Args:
            images: (N, C, H, W), normalized as for training.
        """
        channels = images.shape[1]
        count, total, products = 0, torch.zeros(()), torch.zeros(())
        for chunk in images.split(CHUNK):
            patches = F.unfold(chunk, kernel_size=PATCH).transpose(1, 2).flatten(0, 1).double()
            count, total, products = count + len(patches), total + patches.sum(0), products + patches.T @ patches
        mean = total / count
        variances, directions = torch.linalg.eigh(products / count - mean.outer(mean))
        filters = (directions / (variances + EPSILON).sqrt()).T.view(-1, channels, PATCH, PATCH)
        self.whitening.weight.copy_(torch.cat((filters, -filters)))
        self.whitening.weight.requires_grad_(False)
        assert self.whitening.bias is not None
        self.whitening.bias.zero_()

    def freeze_whitening(self) -> None:
        """Freeze the first layer's biases too; the layer then needs no gradient."""
        self.whitening.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 32, 32)
        x = F.gelu(self.whitening(x))  # (N, 24, 31, 31)
        x = self.block1(x)  # (N, 64, 15, 15)
        x = self.block2(x)  # (N, 256, 7, 7)
        x = self.block3(x)  # (N, 256, 3, 3)
        x = F.max_pool2d(x, kernel_size=x.shape[2:]).flatten(1)  # (N, 256)
        return self.head(x) * self.scale  # (N, 10)


fastnet = builder(
    FastNet,
    "fastnet",
    "The paper's network for 94 % on CIFAR-10: 1,971,640 parameters without the norms' fixed scales.",
)
