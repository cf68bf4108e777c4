"""Modules that use these operators, with the arguments, parameters and state dict of their torch.nn counterparts."""

from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.ops import activation, convolution, dense, normalization, pooling


class Conv2d(nn.Conv2d):
    """Like torch.nn.Conv2d; `method` is one of ops.methods.METHODS, or auto."""

    def __init__(self, *args: Any, method: str = "im2col", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.method = method

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.padding_mode != "zeros":
            input = nn.functional.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
        padding = self.padding if self.padding_mode == "zeros" else 0
        arguments: Any = (self.stride, padding, self.dilation, self.groups, self.method)
        return convolution.conv2d(input, weight, bias, *arguments)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, method={self.method}"


class MaxPool2d(nn.MaxPool2d):
    """Like torch.nn.MaxPool2d, without the indices."""

    def forward(self, input: Tensor) -> Tensor:
        sizes: Any = (self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)
        return pooling.max_pool2d(input, *sizes)


class AvgPool2d(nn.AvgPool2d):
    """Like torch.nn.AvgPool2d, without `divisor_override`."""

    def forward(self, input: Tensor) -> Tensor:
        sizes: Any = (self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)
        return pooling.avg_pool2d(input, *sizes)


class GlobalAvgPool2d(nn.Module):
    """Mean of each channel: (..., H, W) to (..., 1, 1), like torch.nn.AdaptiveAvgPool2d(1)."""

    def forward(self, input: Tensor) -> Tensor:
        return pooling.global_avg_pool2d(input)


class L2Pool2d(nn.LPPool2d):
    """Like torch.nn.LPPool2d with norm 2, except for windows beyond the border with `ceil_mode`."""

    def __init__(self, kernel_size: int, stride: int | None = None, ceil_mode: bool = False) -> None:
        super().__init__(2, kernel_size, stride, ceil_mode)

    def forward(self, input: Tensor) -> Tensor:
        sizes: Any = (self.kernel_size, self.stride, self.ceil_mode)
        return pooling.l2_pool2d(input, *sizes)


class BatchNorm2d(nn.BatchNorm2d):
    """Like torch.nn.BatchNorm2d; `momentum` must be a number."""

    def forward(self, input: Tensor) -> Tensor:
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        assert self.momentum is not None
        return normalization.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
        )


class LocalResponseNorm(nn.LocalResponseNorm):
    """Like torch.nn.LocalResponseNorm."""

    def forward(self, input: Tensor) -> Tensor:
        return normalization.local_response_norm(input, self.size, self.alpha, self.beta, self.k)


class Linear(nn.Linear):
    """Like torch.nn.Linear."""

    def forward(self, input: Tensor) -> Tensor:
        return dense.linear(input, self.weight, self.bias)


class Dropout(nn.Dropout):
    """Like torch.nn.Dropout; draws from `generator`, or from the global generator if it is None."""

    def __init__(self, p: float = 0.5, generator: torch.Generator | None = None) -> None:
        super().__init__(p)
        self.generator = generator

    def forward(self, input: Tensor) -> Tensor:
        return dense.dropout(input, self.p, self.training, self.generator)


class ReLU(nn.Module):
    """Like torch.nn.ReLU."""

    def forward(self, input: Tensor) -> Tensor:
        return activation.relu(input)


class Sigmoid(nn.Module):
    """Like torch.nn.Sigmoid."""

    def forward(self, input: Tensor) -> Tensor:
        return activation.sigmoid(input)


class Tanh(nn.Module):
    """Like torch.nn.Tanh."""

    def forward(self, input: Tensor) -> Tensor:
        return activation.tanh(input)
