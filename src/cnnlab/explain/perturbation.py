"""Maps from other inputs than the image: parts of it covered, or the way from an empty image to it. By Captum."""

from typing import Any

from torch import Tensor, nn

WINDOW = 4  # the occluding window's side is this part of the image's
STEPS = 64  # points on the way from the baseline to the image
BATCH = 64  # images in a forward pass


def occlusion(net: nn.Module, x: Tensor, classes: Tensor, baseline: Tensor) -> Tensor:
    """How much the logit falls if a window over the pixel shows the baseline, as the mean over such windows.

    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2.

    Args:
        net: in evaluation mode.
        x: (N, C, H, W).
        classes: (N,).
        baseline: (1, C, H, W).

    Returns:
        (N, H, W).
    """
    captum = _captum("occlusion")
    height, width = (max(1, side // WINDOW) for side in x.shape[2:])
    falls = captum.Occlusion(net).attribute(
        x.detach(),
        sliding_window_shapes=(x.shape[1], height, width),
        strides=(x.shape[1], max(1, height // WINDOW), max(1, width // WINDOW)),
        baselines=baseline.expand_as(x),
        target=classes,
        perturbations_per_eval=max(1, BATCH // len(x)),
    )
    return falls[:, 0].detach()


def integrated_gradients(net: nn.Module, x: Tensor, classes: Tensor, baseline: Tensor) -> Tensor:
    """The gradient along the straight way from the baseline to the image, times their difference.

    The values of an image sum to the difference of the two logits. Channels are added up.

    Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, equation 1.

    Args:
        net, x, classes, baseline: as in `occlusion`.

    Returns:
        (N, H, W).
    """
    captum = _captum("integrated_gradients")
    values = captum.IntegratedGradients(net).attribute(
        x.detach().clone(),
        baselines=baseline.expand_as(x).clone(),
        target=classes,
        n_steps=STEPS,
        internal_batch_size=max(BATCH, len(x)),
    )
    return values.sum(1).detach().to(x.dtype)


def _captum(method: str) -> Any:
    try:
        from captum import attr
    except ImportError as error:
        raise ValueError(f"method={method} needs Captum: pip install -e '.[explain]'") from error
    return attr
