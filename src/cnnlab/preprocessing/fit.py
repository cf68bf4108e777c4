"""Bringing an image of any size to a square."""

from PIL import Image

FITS = ("crop", "pad", "stretch")


def fitted(image: Image.Image, side: int, fit: str = "crop", fill: int | tuple[int, ...] = 0) -> Image.Image:
    """Resize an image to `side` x `side` pixels.

    Args:
        image: in the mode `L` or `RGB`.
        fit: `crop` resizes the shorter side and crops the center; `pad` resizes the longer side and pads the other on
            both ends; `stretch` changes the proportions.
        fill: color of the padding.

    Raises:
        ValueError: `fit` is unknown.
    """
    if fit not in FITS:
        raise ValueError(f"fit must be one of {list(FITS)}, got {fit!r}")
    if image.size == (side, side):
        return image
    if fit == "stretch":
        return image.resize((side, side), Image.Resampling.BILINEAR)
    reference = min(image.size) if fit == "crop" else max(image.size)
    width, height = (max(1, round(length * side / reference)) for length in image.size)
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - side) // 2, (height - side) // 2  # negative for padding
    if fit == "crop":
        return resized.crop((left, top, left + side, top + side))
    padded = Image.new(image.mode, (side, side), fill)
    padded.paste(resized, (-left, -top))
    return padded
