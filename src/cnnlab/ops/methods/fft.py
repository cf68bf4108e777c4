"""Cross-correlation by the correlation theorem: the input's spectrum times the kernel's conjugate spectrum.

Mathieu, Henaff and LeCun, "Fast training of convolutional networks through FFTs", 2013. The cost does not depend on
the kernel size, so this method is fast for large kernels on large maps. It supports stride 1 without dilation, and
computes in float32 if the tensors have lower precision.
"""

import torch
from torch import Tensor

from cnnlab.ops.layout import Layout, crop, height_width, pad, padded_size
from cnnlab.ops.size import Pair


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return layout.stride == (1, 1) and layout.dilation == (1, 1)


def spectrum(x: Tensor, sizes: Pair) -> Tensor:
    """Pad (..., H, W) with zeros to `sizes` and transform it to (..., sizes[0], sizes[1] // 2 + 1)."""
    x = x if x.dtype == torch.float64 else x.float()
    if not x.numel():  # MKL cannot transform empty tensors
        return x.new_zeros((*x.shape[:-2], sizes[0], sizes[1] // 2 + 1), dtype=x.dtype.to_complex())
    return torch.fft.rfft2(x, s=sizes)


def contract(equation: str, a: Tensor, b: Tensor, sizes: Pair) -> Tensor:
    """Inverse transform of the spectra's products, summed as `equation` specifies."""
    products = torch.einsum(equation, a, b)
    if not products.numel():
        return products.real.new_zeros((*products.shape[:-2], *sizes))
    return torch.fft.irfft2(products, s=sizes)


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C/groups, U, V) to (N, O, H', W')."""
    height, width = layout.out_sizes(height_width(x), height_width(weight))
    sizes = padded_size(height_width(x), layout.padding)
    images = spectrum(pad(x, layout.padding), sizes).unflatten(1, (layout.groups, -1))
    kernels = spectrum(weight, sizes).unflatten(0, (layout.groups, -1))
    y = contract("ngcij,gocij->ngoij", images, kernels.conj(), sizes)
    return y.flatten(1, 2)[:, :, :height, :width].to(x.dtype)


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """True convolution of the gradient and the kernels, without a conjugate.

    (N, O, H', W') and (O, C/groups, U, V) to (N, C, *sizes).
    """
    padded = padded_size(sizes, layout.padding)
    gradients = spectrum(gradient, padded).unflatten(1, (layout.groups, -1))
    kernels = spectrum(weight, padded).unflatten(0, (layout.groups, -1))
    result = contract("ngoij,gocij->ngcij", gradients, kernels, padded)
    return crop(result.flatten(1, 2), layout.padding).to(gradient.dtype)


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """Cross-correlation of the input and the gradient, cropped to the size of the kernel.

    (N, C, H, W) and (N, O, H', W') to (O, C/groups, *kernel_size).
    """
    padded = padded_size(height_width(x), layout.padding)
    images = spectrum(pad(x, layout.padding), padded).unflatten(1, (layout.groups, -1))
    gradients = spectrum(gradient, padded).unflatten(1, (layout.groups, -1))
    result = contract("ngcij,ngoij->gocij", images, gradients.conj(), padded)
    return result.flatten(0, 1)[:, :, : kernel_size[0], : kernel_size[1]].to(x.dtype)
