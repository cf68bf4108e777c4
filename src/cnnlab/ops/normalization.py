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
    """Normalize each channel to mean 0 and variance 1, then scale and shift it; (N, C, ...) preserves its shape.

    Ioffe and Szegedy, "Batch normalization", 2015, algorithms 1 and 2. Training uses the batch's mean and biased
    variance, and moves the running statistics toward its mean and unbiased variance by `momentum`. Evaluation uses the
    running statistics, or the batch's if there are none.

    Raises:
        ValueError: a parameter has the wrong shape, or a training batch has only one value per channel.
    """
    for name, values in (
        ("weight", weight),
        ("bias", bias),
        ("running_mean", running_mean),
        ("running_var", running_var),
    ):
        if values is not None and values.shape != (x.shape[1],):
            raise ValueError(f"{name} must have shape ({x.shape[1]},), got {tuple(values.shape)}")
    shape = (1, -1, *[1] * (x.ndim - 2))
    if training or running_mean is None or running_var is None:
        axes = [axis for axis in range(x.ndim) if axis != 1]
        count = x.numel() // x.shape[1]
        if training and count == 1:
            raise ValueError(f"x must have more than 1 value per channel in training, got shape {tuple(x.shape)}")
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
    """x / (k + alpha/size * sum of squares over `size` neighboring channels)^beta; (N, C, ...) preserves its shape.

    Krizhevsky, Sutskever and Hinton, "ImageNet classification", 2012, section 3.3. As in PyTorch, and
    unlike the paper, alpha is divided by the size. Channels beyond the first and the last count as zeros.
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
