"""Convolution, pooling, normalization and other layers from their definitions, with PyTorch's signatures."""

from cnnlab.ops.activation import log_softmax, relu, sigmoid, softmax, tanh
from cnnlab.ops.convolution import conv1d, conv2d, conv_transpose2d, true_conv1d, true_conv2d
from cnnlab.ops.dense import cross_entropy, dropout, linear
from cnnlab.ops.layout import flip_kernel
from cnnlab.ops.normalization import batch_norm, local_response_norm
from cnnlab.ops.pooling import avg_pool2d, global_avg_pool2d, l2_pool2d, max_pool2d, pool2d
from cnnlab.ops.size import out_size, same_padding

__all__ = [
    "avg_pool2d",
    "batch_norm",
    "conv1d",
    "conv2d",
    "conv_transpose2d",
    "cross_entropy",
    "dropout",
    "flip_kernel",
    "global_avg_pool2d",
    "l2_pool2d",
    "linear",
    "local_response_norm",
    "log_softmax",
    "max_pool2d",
    "out_size",
    "pool2d",
    "relu",
    "same_padding",
    "sigmoid",
    "softmax",
    "tanh",
    "true_conv1d",
    "true_conv2d",
]
