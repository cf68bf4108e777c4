"""AlexNet's color augmentation."""

import torch
from torch import Tensor

from cnnlab.augment.step import Draws
from cnnlab.image_spec import ImageSpec
from cnnlab.limits import NonNegative, checked


class ColorShift:
    """Shift the color of each image along the principal components of the training pixels.

    Krizhevsky, Sutskever and Hinton 2012, section 4.1: add [p1 p2 p3] [α1 λ1, α2 λ2, α3 λ3]^T to every pixel, where p
    and λ are the eigenvectors and eigenvalues of the pixels' covariance and α is drawn from a normal distribution for
    each image. The paper does not give the scale of its pixels; here it is [0, 1].

    Args:
        std: standard deviation of α; 0.1 in the paper.
        spec: provides the covariance.
    """

    @checked
    def __init__(self, std: NonNegative, spec: ImageSpec) -> None:
        self.std = std
        self.eigenvalues, self.eigenvectors = torch.linalg.eigh(spec.covariance)

    def draw(self, images: Tensor, generator: torch.Generator) -> Draws:
        """Draw `alpha` (N, C)."""
        return {"alpha": self.std * torch.randn(len(images), images.shape[1], generator=generator)}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        components = (self.eigenvectors * self.eigenvalues).to(images.device, non_blocking=True)
        shift = draws["alpha"] @ components.T * 255
        return (images + shift[:, :, None, None]).round_().clamp_(0, 255).to(torch.uint8)
