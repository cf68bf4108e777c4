"""Attribution maps: how much each pixel of an image contributes to the logit of a class, by several methods."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.analysis.field import Field
from cnnlab.errors import one_of
from cnnlab.explain.activation_maps import cam, gradcam, hirescam
from cnnlab.explain.last_map import NoMap, field_of_last_map, last_map
from cnnlab.explain.perturbation import integrated_gradients, occlusion
from cnnlab.image_spec import ImageSpec
from cnnlab.preprocessing import normalize

AT_LAST_MAP = ("gradcam", "cam", "hirescam")
AT_PIXELS = ("occlusion", "integrated_gradients")
METHODS = (*AT_LAST_MAP, *AT_PIXELS)
NAMES = dict(zip(METHODS, ("Grad-CAM", "CAM", "HiResCAM", "Occlusion", "Integrated gradients"), strict=True))
SIGNED = tuple(method for method in METHODS if method != "gradcam")  # have negative values: against the class


def attribution_map(
    net: nn.Module, x: Tensor, classes: Tensor, method: str = "gradcam", baseline: Tensor | None = None
) -> Tensor:
    """Map what `net` sees in each image, as (N, H, W) at the size of the images.

    A class-activation map is interpolated between the centers of its units' receptive fields, not stretched over the
    image.

    Args:
        net: in evaluation mode.
        x: normalized images (N, C, H, W).
        classes: (N,) the class whose logit is explained, for each image.
        method: one of METHODS.
        baseline: (C, H, W), what `occlusion` and `integrated_gradients` put in place of the image; None for zeros.

    Raises:
        ValueError: `method` is unknown, not for this network, or needs a package that is missing.
    """
    one_of("method", method, METHODS, ValueError)
    if method in AT_LAST_MAP:
        values = class_activation_map(net, x, classes, method)
        return placed(values, field_of_last_map(net, x), (x.shape[2], x.shape[3]))
    baseline = torch.zeros_like(x[:1]) if baseline is None else baseline[None].to(x)
    compute = occlusion if method == "occlusion" else integrated_gradients
    return compute(net, x, classes.to(x.device), baseline)


def class_activation_map(net: nn.Module, x: Tensor, classes: Tensor, method: str = "gradcam") -> Tensor:
    """The map of a method of AT_LAST_MAP at the size of the last feature map, (N, h, w)."""
    try:
        if method == "cam":
            return cam(net, x, classes)
        found = last_map(net, x, classes)
    except NoMap as error:
        raise ValueError(
            f"method={method} needs a feature map, and this network has none: use method={' or '.join(AT_PIXELS)}"
        ) from error
    return gradcam(found) if method == "gradcam" else hirescam(found)


def placed(maps: Tensor, field: Field | None, size: tuple[int, int]) -> Tensor:
    """Interpolate maps (N, h, w) to the pixels (N, H, W) of the image, constant beyond the outer units.

    Args:
        maps: values at the units of a feature map.
        field: gives the centers of the units in the image; None spreads them evenly over it.
        size: H and W.
    """
    if field is None:
        return F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    places = []
    for axis, units, pixels in zip(field.axes, maps.shape[1:], size, strict=True):
        unit = (torch.arange(pixels, device=maps.device) + 0.5 - axis.start) / axis.jump
        places.append((2 * unit + 1) / units - 1)  # as grid_sample counts: from -1 to 1, edge to edge
    grid = torch.stack(torch.meshgrid(*places, indexing="ij")[::-1], dim=-1).to(maps)
    grid = grid.expand(len(maps), -1, -1, -1)
    return F.grid_sample(maps[:, None], grid, padding_mode="border", align_corners=False)[:, 0]


def baseline_of(spec: ImageSpec) -> Tensor:
    """The normalized image (C, H, W) without content: black for light drawings on black, else the mean color."""
    size = (1, spec.in_channels, spec.image_size, spec.image_size)
    if spec.drawing is None:
        return torch.zeros(size[1:])
    return normalize(torch.zeros(size, dtype=torch.uint8), spec)[0]
