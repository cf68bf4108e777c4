"""Test-time augmentation: average a network's logits over several views of each image.

Jordan 2024 (arXiv:2404.00498), section 3.5.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from cnnlab.errors import one_of

VIEWS = ("none", "flip", "shift", "flip_shift")


def check_tta(tta: str, mirror: bool) -> None:
    """Check that `tta` is a known choice and flips images only if `mirror` is True.

    Raises:
        ValueError: `tta` is unknown, or flips images whose reflection changes the label.
    """
    one_of("tta", tta, VIEWS, ValueError)
    if "flip" in tta and not mirror:
        raise ValueError(f"tta must be none or shift for images whose reflection changes the label, got {tta!r}")


def logits_of_views(net: Callable[[Tensor], Tensor], x: Tensor, tta: str) -> Tensor:
    """Weighted mean of the logits (N, num_classes) over the views of `x` (N, C, H, W), in float32.

    Args:
        tta: `none`: the image alone. `flip`: the image and its reflection. `shift`: the image (weight 1/2) and two
            copies (weight 1/4 each) shifted diagonally by one pixel in opposite directions, with reflected borders.
            `flip_shift`: the three images of `shift` and their reflections.
    """

    def logits(view: Tensor) -> Tensor:
        return net(view).float()  # a mean in 16 bits could make close logits equal

    if tta == "shift":
        height, width = x.shape[-2:]
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        shifted = (padded[..., :height, :width], padded[..., 2:, 2:])
        return 0.5 * logits(x) + 0.25 * logits(shifted[0]) + 0.25 * logits(shifted[1])
    if tta == "flip":
        return 0.5 * logits(x) + 0.5 * logits(x.flip(-1))
    if tta == "flip_shift":
        return logits_of_views(lambda view: logits_of_views(net, view, "flip"), x, "shift")
    return logits(x)
