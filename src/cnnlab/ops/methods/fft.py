"""Cross-correlation by the correlation theorem: a product of spectra, the kernel's conjugated.

After Mathieu, Henaff and LeCun, "Fast training of convolutional networks through FFTs", 2013. Its cost does not depend
on the kernel's size, so it wins with large kernels on large maps. It supports stride 1 without dilation, and works in
float32 where the tensors are of lower precision.
"""

import torch
from torch import Tensor

from cnnlab.ops.layout import Layout, crop, pad, padded_size
from cnnlab.ops.size import Pair


def supports(kernel_size: Pair, layout: Layout) -> bool:
    return layout.stride == (1, 1) and layout.dilation == (1, 1)


def spectrum(x: Tensor, sizes: Pair) -> Tensor:
    """(..., H, W), filled up with zeros to `sizes`, to frequencies (..., sizes[0], sizes[1] // 2 + 1)."""
    x = x if x.dtype == torch.float64 else x.float()
    if not x.numel():  # MKL has no transform of nothing
        return x.new_zeros((*x.shape[:-2], sizes[0], sizes[1] // 2 + 1), dtype=x.dtype.to_complex())
    return torch.fft.rfft2(x, s=sizes)


def contract(equation: str, a: Tensor, b: Tensor, sizes: Pair) -> Tensor:
    """The inverse transform of the spectra's products, summed over what `equation` names."""
    products = torch.einsum(equation, a, b)
    if not products.numel():
        return products.real.new_zeros((*products.shape[:-2], *sizes))
    return torch.fft.irfft2(products, s=sizes)


def forward(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """(N, C, H, W) and (O, C/groups, U, V) to (N, O, H', W')."""
    height, width = layout.out_sizes((x.shape[2], x.shape[3]), (weight.shape[2], weight.shape[3]))
    sizes = padded_size((x.shape[2], x.shape[3]), layout.padding)
    images = spectrum(pad(x, layout.padding), sizes).unflatten(1, (layout.groups, -1))
    kernels = spectrum(weight, sizes).unflatten(0, (layout.groups, -1))
    y = contract("ngcij,gocij->ngoij", images, kernels.conj(), sizes)
    return y.flatten(1, 2)[:, :, :height, :width].to(x.dtype)


def input_gradient(gradient: Tensor, weight: Tensor, sizes: Pair, layout: Layout) -> Tensor:
    """The true convolution of the gradient with the kernels, so nothing is conjugated: to (N, C, *sizes)."""
    padded = padded_size(sizes, layout.padding)
    gradients = spectrum(gradient, padded).unflatten(1, (layout.groups, -1))
    kernels = spectrum(weight, padded).unflatten(0, (layout.groups, -1))
    result = contract("ngoij,gocij->ngcij", gradients, kernels, padded)
    return crop(result.flatten(1, 2), layout.padding).to(gradient.dtype)


def weight_gradient(x: Tensor, gradient: Tensor, kernel_size: Pair, layout: Layout) -> Tensor:
    """The correlation of the input with the gradient, as far as the kernel reaches: to (O, C/groups, *kernel_size)."""
    padded = padded_size((x.shape[2], x.shape[3]), layout.padding)
    images = spectrum(pad(x, layout.padding), padded).unflatten(1, (layout.groups, -1))
    gradients = spectrum(gradient, padded).unflatten(1, (layout.groups, -1))
    result = contract("ngcij,ngoij->gocij", images, gradients.conj(), padded)
    return result.flatten(0, 1)[:, :, : kernel_size[0], : kernel_size[1]].to(x.dtype)
