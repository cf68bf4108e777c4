"""The form of a network: the paper's, for images of ImageNet's size, or one for small images."""

from cnnlab.errors import one_of

STEMS = ("auto", "imagenet", "small")
SMALL_BELOW = 64  # pixels


def choose_stem(stem: str, image_size: int) -> str:
    """`imagenet` or `small`; `auto` is small below 64 pixels.

    Raises:
        ValueError: `stem` is none of the three.
    """
    one_of("stem", stem, STEMS, ValueError)
    if stem == "auto":
        return "small" if image_size < SMALL_BELOW else "imagenet"
    return stem


def check_size(what: str, image_size: int, smallest: int) -> None:
    """Raise ValueError if `image_size` is below `smallest`: a layer would get nothing, or padding only."""
    if image_size < smallest:
        raise ValueError(f"{what} needs images of at least {smallest} pixels, got {image_size}")
