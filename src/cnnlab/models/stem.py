"""Networks for ImageNet have a second form for small images; many networks have a smallest image size."""

from typing import Literal, get_args

from cnnlab.errors import one_of

StemForm = Literal["auto", "imagenet", "small"]
SMALL_BELOW = 64  # pixels


def choose_stem(stem: str, image_size: int, network: str = "", small: int = 1, imagenet: int = 1) -> str:
    """Return `imagenet` or `small`; `auto` is `small` below 64 pixels.

    Args:
        network: its name in error messages, if one of its forms has a smallest image size.
        small, imagenet: smallest image size of each form, in pixels.

    Raises:
        ValueError: `stem` is not a `StemForm`, or the image is too small for the chosen form.
    """
    one_of("stem", stem, get_args(StemForm), ValueError)
    if stem == "auto":
        stem = "small" if image_size < SMALL_BELOW else "imagenet"
    check_size(f"{network} with stem={stem}", image_size, smallest=small if stem == "small" else imagenet)
    return stem


def check_size(network: str, image_size: int, smallest: int) -> None:
    """Raise ValueError if the image is too small for all layers of `network`."""
    if image_size < smallest:
        raise ValueError(f"image_size must be at least {smallest} for {network}, got {image_size}")
