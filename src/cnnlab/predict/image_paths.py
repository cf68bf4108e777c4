"""The images that people name: files, folders with all that is below them, and patterns. Imports no torch."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SUFFIXES = (
    ".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
SYSTEM = ("__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "system volume information")  # in lower case


@dataclass
class LeftOut:
    """Files below folders and patterns that are not read, of each kind."""

    hidden: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """One line with counts and examples; empty if nothing was left out."""
        kinds = {
            "hidden or system": self.hidden,
            "not an image by name": self.others,
            "named twice": self.repeated,
        }
        return "; ".join(f"{len(found):,} {kind}, such as {found[0]}" for kind, found in kinds.items() if found)


@dataclass(frozen=True)
class ImagePaths:
    """Files in the order in which they were named, those of a folder or pattern sorted, each once."""

    files: tuple[str, ...]
    left_out: LeftOut


def find_images(named: Iterable[str | Path]) -> ImagePaths:
    """Find the images that `named` means: files of any name, folders, and patterns such as `*.png` and `**/cat*`.

    Below folders, and of what a pattern matches, hidden and system files and files that are not images by their names
    are left out, and counted.

    Raises:
        ValueError: a path does not exist, or there is no image in a folder or for a pattern.
    """
    left_out = LeftOut()
    files: dict[str, str] = {}  # by absolute path
    for text in map(os.path.expanduser, map(str, named)):
        found = [text] if os.path.isfile(text) else sorted(_below(text, left_out))
        if not found:
            where = f"no images in {text}" if os.path.isdir(text) else f"no images for the pattern {text}"
            reason = f"; left out: {left_out}" if str(left_out) else ""
            raise ValueError(f"images: there are {where} ({' '.join(SUFFIXES)}){reason}")
        for file in found:
            if files.setdefault(os.path.abspath(file), file) is not file:
                left_out.repeated.append(file)
    if not files:
        raise ValueError("images must name at least one file, folder or pattern")
    return ImagePaths(tuple(files.values()), left_out)


def check_exists(named: Iterable[str | Path]) -> None:
    """Check without a search that every path exists and every pattern matches something.

    Raises:
        ValueError: one does not.
    """
    for text in map(os.path.expanduser, map(str, named)):
        if os.path.lexists(text):
            continue
        if not glob.has_magic(text):
            raise ValueError(f"images: there is no file or folder {text}")
        if next(glob.iglob(text, recursive=True, include_hidden=True), None) is None:
            raise ValueError(f"images: nothing matches the pattern {text}")


def _below(text: str, left_out: LeftOut) -> Iterator[str]:
    """The images of a folder or pattern, in any order."""
    if os.path.isdir(text):
        yield from _in_folder(text, left_out)
        return
    check_exists([text])
    suffix = os.path.splitext(text)[1].lower()
    stated = (suffix,) if suffix and not glob.has_magic(suffix) else ()
    literal = set(Path(text).parts)
    for path in glob.glob(text, recursive=True, include_hidden=True):
        if any(_is_hidden(part) for part in set(Path(path).parts) - literal):
            left_out.hidden.append(path)
        elif not os.path.isdir(path):
            yield from _images([path], left_out, (*SUFFIXES, *stated))
        elif "**" not in text:  # which matches the files below the folder, too
            yield from _in_folder(path, left_out)


def _in_folder(folder: str, left_out: LeftOut) -> Iterator[str]:
    """The images below a folder; links to folders are followed once."""
    seen = {os.path.realpath(folder)}
    for place, folders, names in os.walk(folder, followlinks=True):
        left_out.hidden += [os.path.join(place, name) for name in sorted((*folders, *names)) if _is_hidden(name)]
        yield from _images([os.path.join(place, name) for name in sorted(names) if not _is_hidden(name)], left_out)
        real = {os.path.realpath(os.path.join(place, name)): name for name in folders if not _is_hidden(name)}
        folders[:] = sorted(name for path, name in real.items() if path not in seen)
        seen.update(real)


def _images(paths: Sequence[str], left_out: LeftOut, suffixes: tuple[str, ...] = SUFFIXES) -> Iterator[str]:
    for path in paths:
        if path.lower().endswith(suffixes):
            yield path
        else:
            left_out.others.append(path)


def _is_hidden(name: str) -> bool:
    return (name.startswith(".") and name not in (".", "..")) or name.lower() in SYSTEM
