"""Test-time augmentation: an image is classified by the mean of what a network says of several views of it.

Jordan 2024 (arXiv:2404.00498), section 3.5.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from cnnlab.errors import UserError, one_of

VIEWS = ("none", "flip", "shift", "flip_shift")


def check_tta(tta: str, mirror: bool) -> None:
    """Raise UserError unless there is such a choice, and the data allows its reflections."""
    one_of("tta", tta, VIEWS)
    if "flip" in tta and not mirror:
        raise UserError(f"tta must be none or shift for pictures whose reflection is another thing, got {tta!r}")


def logits_of_views(net: Callable[[Tensor], Tensor], x: Tensor, tta: str) -> Tensor:
    """The mean, in float32, of `net`'s scores (N, num_classes) of the views of `x` (N, C, H, W).

    Args:
        tta: `none`; `flip`: the image and its reflection; `shift`: the image, with half of the weight, and the image
            moved by a pixel along both axes, to either side, its border reflected; `flip_shift`: those three and their
            reflections.
    """

    def scores(view: Tensor) -> Tensor:
        return net(view).float()  # in 16 bits the mean would make near scores equal

    if tta == "shift":
        height, width = x.shape[-2:]
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        moved = (padded[..., :height, :width], padded[..., 2:, 2:])
        return 0.5 * scores(x) + 0.25 * scores(moved[0]) + 0.25 * scores(moved[1])
    if tta == "flip":
        return 0.5 * scores(x) + 0.5 * scores(x.flip(-1))
    if tta == "flip_shift":
        return logits_of_views(lambda view: logits_of_views(net, view, "flip"), x, "shift")
    return scores(x)
