"""The form of a network: the paper's, for images of ImageNet's size, or one for small images."""

from cnnlab.errors import one_of

STEMS = ("auto", "imagenet", "small")
SMALL_BELOW = 64  # pixels


def choose_stem(stem: str, image_size: int, what: str, small: int, imagenet: int) -> str:
    """`imagenet` or `small`; `auto` is small below 64 pixels.

    Args:
        what: the network, for the error.
        small, imagenet: the smallest image of each form.

    Raises:
        ValueError: `stem` is none of the three, or the image is too small for its form.
    """
    one_of("stem", stem, STEMS, ValueError)
    if stem == "auto":
        stem = "small" if image_size < SMALL_BELOW else "imagenet"
    check_size(f"{what} with stem={stem}", image_size, small if stem == "small" else imagenet)
    return stem


def check_size(what: str, image_size: int, smallest: int) -> None:
    """Raise ValueError if `image_size` is below `smallest`: a layer would get nothing, or padding only."""
    if image_size < smallest:
        raise ValueError(f"{what} needs images of at least {smallest} pixels, got {image_size}")
