"""The files of an image folder on disk: sizes of the images, and files that are not read."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image

from cnnlab.data.places import folder_files
from cnnlab.preprocessing.image_files import UNREADABLE

SIDEWAYS = range(5, 9)  # values of EXIF's orientation with width and height exchanged


@dataclass(frozen=True)
class Original:
    """An image file with its width and height in pixels, as it is looked at."""

    path: str
    width: int
    height: int

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def size(self) -> str:
        return f"{self.width} x {self.height}"


@dataclass(frozen=True)
class FolderContent:
    """The images of a folder from the smallest to the largest, and the paths of the files that are not read."""

    originals: list[Original]
    left_out: list[str]


def folder_content(root: Path) -> FolderContent:
    """List the files below `root`; hidden folders, such as the cache's, do not count.

    Raises:
        SourceError: `root` is no folder of images.
    """
    paths = folder_files(root)
    used = set(paths)
    left_out = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        prefix = str(Path(folder)) + os.sep
        left_out += [prefix + name for name in sorted(names) if prefix + name not in used]
    found = [_original(path) for path in paths]
    originals = sorted(filter(None, found), key=lambda original: (original.area, original.path))
    unreadable = [path for path, original in zip(paths, found, strict=True) if original is None]
    return FolderContent(originals, left_out + unreadable)


def _original(path: str) -> Original | None:
    """The size in the header of a file; None if it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                width, height = image.size
                is_in_header = image.format in ("JPEG", "MPO", "WEBP")  # others decode the pixels to find it
                orientation = image.getexif().get(ExifTags.Base.Orientation) if is_in_header else None
    except UNREADABLE:
        return None
    return Original(path, height, width) if orientation in SIDEWAYS else Original(path, width, height)
