"""Batch normalization and local response normalization, from their equations."""

import torch
from torch import Tensor


def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Give each channel mean 0 and variance 1, then scale and shift it: (N, C, ...) to the same.

    Ioffe and Szegedy, "Batch normalization", 2015, algorithms 1 and 2. In training the mean and the (biased) variance
    are those of the batch, and the running ones move towards them by `momentum`, the variance without bias; afterwards
    the running ones are used. Without running ones the batch's are always used.

    Raises:
        ValueError: a batch with one number a channel, which has no variance; or numbers for other channels than x has.
    """
    for name, values in (
        ("weight", weight),
        ("bias", bias),
        ("running_mean", running_mean),
        ("running_var", running_var),
    ):
        if values is not None and values.shape != (x.shape[1],):
            raise ValueError(f"the input has {x.shape[1]} channels, {name} is for {len(values)}")
    shape = (1, -1, *[1] * (x.ndim - 2))
    if training or running_mean is None or running_var is None:
        axes = [axis for axis in range(x.ndim) if axis != 1]
        count = x.numel() // x.shape[1]
        if training and count == 1:
            raise ValueError(f"batch norm needs more than 1 number a channel in training, got {tuple(x.shape)}")
        mean, var = x.mean(axes), x.var(axes, correction=0)
        if training and count and running_mean is not None and running_var is not None:
            with torch.no_grad():
                running_mean.lerp_(mean.to(running_mean.dtype), momentum)
                running_var.lerp_((var * count / (count - 1)).to(running_var.dtype), momentum)
    else:
        mean, var = running_mean, running_var
    y = (x - mean.reshape(shape)) / (var.reshape(shape) + eps).sqrt()
    if weight is not None:
        y = y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def local_response_norm(x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Divide each number by (k + alpha/size times the sum of squares over `size` neighboring channels)^beta.

    Krizhevsky, Sutskever and Hinton, "ImageNet classification", 2012, section 3.3; the paper's alpha is not divided by
    the size, PyTorch's is. (N, C, ...) to the same; channels beyond the first and the last count as zeros.
    """
    squares = x.square()
    channels = x.shape[1]
    total = torch.zeros_like(x)
    for offset in range(-(size // 2), size - size // 2):
        first, last = max(0, -offset), min(channels, channels - offset)
        if first < last:
            shifted = torch.zeros_like(x)
            shifted[:, first:last] = squares[:, first + offset : last + offset]
            total = total + shifted
    return x / (k + alpha / size * total) ** beta
