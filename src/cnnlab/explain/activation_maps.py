"""Class-activation maps: the last feature map A (K, h, w), weighted by what its channels do for a logit."""

import torch
from torch import Tensor, nn

from cnnlab.explain.last_map import LastMap, last_map

EQUAL = 1e-3  # by which gradients differ at most, relative to the largest, to count as equal


def gradcam(found: LastMap) -> Tensor:
    """Grad-CAM: ReLU(sum_k alpha_k A_k), where alpha_k is the mean of the gradient over the positions of channel k.

    Selvaraju et al., "Grad-CAM", ICCV 2017, equations 1 and 2.
    """
    weights = found.gradients.mean((2, 3), keepdim=True)
    return (weights * found.activations).sum(1).relu()


def hirescam(found: LastMap) -> Tensor:
    """HiResCAM: sum_k (gradient * A)_k, element by element; negative where a position speaks against the class.

    Draelos and Carin, "Use HiResCAM instead of Grad-CAM", 2020, equation 4.
    """
    return (found.gradients * found.activations).sum(1)


def cam(net: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
    """CAM: sum_k w_k A_k, where the logit is sum_k w_k mean(A_k) + b; negative where a position speaks against it.

    The weights w are the gradient of the logit, times the number of positions. So the layers behind the map may be any
    that compute such a sum.

    Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, equation 2.

    Raises:
        ValueError: the logits of `net` are no such sum.
    """
    found = last_map(net, x, classes)
    other = last_map(net, x.flip(0, 2, 3).neg(), classes).gradients
    mean = found.gradients.mean((2, 3), keepdim=True)
    tolerance = EQUAL * float(found.gradients.abs().amax())
    if any(float((gradients - mean).abs().amax()) > tolerance for gradients in (found.gradients, other)):
        raise ValueError(
            "method=cam needs a network whose logits are a linear function of the means of its last feature map, and "
            "this one has other layers behind it: use method=gradcam or hirescam"
        )
    positions = mean.new_tensor(found.activations.shape[2:]).prod()
    return torch.sum(positions * mean * found.activations, dim=1)
