"""Which form of a network an image gets: the paper's, for pictures of ImageNet's size, or one for small images."""

from cnnlab.errors import UserError, one_of

STEMS = ("auto", "imagenet", "small")
SMALL_BELOW = 64  # pixels


def choose_stem(stem: str, image_size: int) -> str:
    """`imagenet` or `small`; `auto` is small below 64 pixels.

    Raises:
        UserError: `stem` is none of the three.
    """
    one_of("stem", stem, STEMS)
    if stem == "auto":
        return "small" if image_size < SMALL_BELOW else "imagenet"
    return stem


def check_size(what: str, image_size: int, smallest: int) -> None:
    """Raise UserError for an image of which nothing would be left before the network's end."""
    if image_size < smallest:
        raise UserError(f"{what} needs images of at least {smallest} pixels, got {image_size}")
