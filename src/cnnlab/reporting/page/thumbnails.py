"""Many small images in one: a sheet for a page."""

import base64
import io
import math
from dataclasses import dataclass

import torch
from PIL import Image, features
from torch import Tensor
from torch.nn.functional import interpolate

LARGEST = 48  # side of a thumbnail in pixels; larger images are made smaller
QUALITY = 78  # of lossy WebP


@dataclass(frozen=True)
class Sheet:
    """Images of one size, row by row in one image.

    Attributes:
        url: the sheet as a data URL.
        side: of a thumbnail in pixels.
        columns: thumbnails per row.
        count: number of thumbnails.
    """

    url: str
    side: int
    columns: int
    count: int


def sheet_of(images: Tensor, lossless: bool = False, largest: int = LARGEST) -> Sheet:
    """A sheet of uint8 images (N, C, H, W) with N > 0 and one or three channels.

    Args:
        lossless: for few and sharp images, such as filters.
        largest: side to which larger images are reduced.
    """
    if max(images.shape[2:]) > largest:
        small = interpolate(images.float(), (largest, largest), mode="bilinear", antialias=True)
        images = small.round().clamp(0, 255).to(torch.uint8)
    count, channels, side, _ = images.shape
    columns = math.ceil(math.sqrt(count))
    empty = torch.zeros(-count % columns, channels, side, side, dtype=torch.uint8)
    rows = torch.cat([images, empty]).view(-1, columns, channels, side, side)
    pixels = rows.permute(0, 3, 1, 4, 2).reshape(rows.shape[0] * side, columns * side, channels).numpy()
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    return Sheet(_url(image, lossless), side, columns, count)


def _url(image: Image.Image, lossless: bool) -> str:
    stream = io.BytesIO()
    if features.check("webp") and not lossless:
        kind = "webp"
        image.save(stream, "WEBP", quality=QUALITY)
    else:
        kind = "png"
        image.save(stream, "PNG", optimize=True)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
