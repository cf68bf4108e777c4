"""Trees of images, one folder a class: ROOT/CLASS/*.jpg, or ROOT/train/CLASS/*.jpg and ROOT/test/CLASS/*.jpg."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from rich.console import Console
from rich.progress import track
from torch import Tensor

from cnnlab.data.images import RawDataset, SourceError, Split
from cnnlab.data.specs import DatasetSpec
from cnnlab.data.splits import hold_out
from cnnlab.errors import UserError
from cnnlab.machine.probes import total_memory

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
TEST_FRACTION = 0.2  # a fixed stratified fifth becomes the test set of a tree that has none


def tree_files(tree: Path) -> list[str]:
    for split in ("train", "test"):
        if not (tree / split).is_dir():
            raise SourceError(f"{split}/ is not there", absent=not tree.exists() or split == "train")
    return folder_files(tree)


def folder_files(root: Path) -> list[str]:
    if not root.is_dir():
        raise SourceError("not there", absent=True)
    return [path for tree in _trees(root) for _, files in _class_files(tree) for path in files]


def _trees(root: Path) -> list[Path]:
    """The training tree, and the test tree where there is one."""
    if not (root / "train").is_dir():
        return [root]
    held_out = [root / name for name in ("test", "val") if (root / name).is_dir()]
    return [root / "train", *held_out[:1]]


def _class_files(tree: Path) -> list[tuple[str, list[str]]]:
    """Each class folder's name and images, both in alphabetical order. Strings: 60,000 Paths take half a second."""
    folders = sorted(entry.name for entry in os.scandir(tree) if entry.is_dir() and not entry.name.startswith("."))
    found = []
    for name in folders:
        names = sorted(entry.name for entry in os.scandir(tree / name) if entry.is_file())
        prefix = str(tree / name) + os.sep
        files = [prefix + file for file in names if os.path.splitext(file)[1].lower() in SUFFIXES]
        if not files:
            raise SourceError(
                f"{tree / name}: a class folder must hold images ({', '.join(sorted(SUFFIXES))}), and has none"
            )
        found.append((name, files))
    if len(found) < 2:
        raise SourceError(f"{tree}: must hold a folder for each of at least two classes, got {folders}")
    return found


def read_folder(spec: DatasetSpec, root: Path, image_size: int, log: Callable[[str], None]) -> RawDataset:
    """Read the trees below `root`; `log` prints what is not read as it may seem.

    Raises:
        SourceError: a tree is not as it must be.
        UserError: the images would take more than half of the memory.
    """
    trees = [_class_files(tree) for tree in _trees(root)]
    names = [[name for name, _ in tree] for tree in trees]
    if any(other != names[0] for other in names):
        raise SourceError(f"{root}: train and test must have the same classes, got {names[0]} and {names[1]}")
    labels_of = _labels_of(spec, names[0])
    _report_peculiarities(root, log)
    counts = [sum(len(files) for _, files in tree) for tree in trees]
    for split, count, wanted in zip(("train", "test"), counts, (spec.train_size, spec.test_size), strict=False):
        if wanted and count != wanted:
            raise SourceError(f"{root / split} must hold the {wanted:,} images of {spec.name}, found {count:,}")
    total = sum(counts)
    _check_memory(total * spec.images.in_channels * image_size**2, f"{total:,} images of {image_size} pixels")
    splits = [_decode(tree, labels_of, spec.images.in_channels, image_size) for tree in trees]
    if len(splits) == 1:
        splits = list(hold_out(splits[0], round(TEST_FRACTION * total), seed=0))
    return RawDataset(splits[0], splits[1], spec.images.classes or tuple(names[0]))


def _report_peculiarities(root: Path, log: Callable[[str], None]) -> None:
    for tree in _trees(root):
        others = [
            path for folder in tree.iterdir() if folder.is_dir() and not folder.name.startswith(".")
            for path in folder.iterdir() if path.suffix.lower() not in SUFFIXES
        ]  # fmt: skip
        if others:
            log(f"left out of {tree}: {len(others):,} entries that are not images, such as {min(others)}")
    if (root / "train").is_dir() and (root / "val").is_dir():
        if (root / "test").is_dir():
            log(f"{root / 'val'} is left out: validation images come out of train/")
        else:
            log(f"{root / 'val'} is taken for the test set")


def _labels_of(spec: DatasetSpec, names: Sequence[str]) -> dict[str, int]:
    """The label of each folder: by its name, or by its number, as `spec` orders them."""
    if not spec.images.classes:
        return {name: label for label, name in enumerate(names)}
    by_name = {name.replace("/", "_"): label for label, name in enumerate(spec.images.classes)}
    by_number = {str(label): label for label in range(len(spec.images.classes))}
    for labels in (by_name, by_number):
        if set(labels) == set(names):
            return labels
    raise SourceError(f"the class folders must be {sorted(by_name)}, got {sorted(names)}")


def _check_memory(size: int, what: str) -> None:
    """Refuse what would take more than half of the memory."""
    if size > total_memory() / 2:
        raise UserError(
            f"{what} take {size / 2**30:.1f} GiB, more than half of this machine's {total_memory() / 2**30:.1f} GiB; "
            "choose a smaller data.image_size"
        )


def _decode(tree: list[tuple[str, list[str]]], labels_of: dict[str, int], in_channels: int, image_size: int) -> Split:
    files = [path for _, paths in tree for path in paths]
    labels = torch.tensor([labels_of[name] for name, paths in tree for _ in paths])
    images = torch.empty(len(files), in_channels, image_size, image_size, dtype=torch.uint8)
    mode = "L" if in_channels == 1 else "RGB"
    with ThreadPoolExecutor() as pool:
        decoded = pool.map(lambda path: decode_image(path, mode, image_size), files, chunksize=256)
        console = Console(stderr=True)
        quiet = not console.is_terminal or len(files) < 2000
        for i, pixels in enumerate(track(decoded, "reading images", total=len(files), console=console, disable=quiet)):
            images[i] = pixels
    return Split(images, labels)


def decode_image(path: str | Path, mode: str, image_size: int) -> Tensor:
    """The picture in `mode` (`L` or `RGB`) as uint8 (C, image_size, image_size): shorter side, then center crop.

    Transparent parts become white.

    Raises:
        SourceError: the file is no picture, or a broken one.
    """
    picture = read_image(path, mode)
    if picture.size != (image_size, image_size):
        scale = image_size / min(picture.size)
        width, height = (max(image_size, round(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
        left, top = (width - image_size) // 2, (height - image_size) // 2
        picture = picture.crop((left, top, left + image_size, top + image_size))
    pixels = torch.from_numpy(np.array(picture))
    return pixels.unsqueeze(0) if mode == "L" else pixels.permute(2, 0, 1)


def read_image(path: str | Path, mode: str) -> Image.Image:
    """The picture in `mode` (`L` or `RGB`), upright; transparent parts become white.

    Raises:
        SourceError: the file is no picture, or a broken one.
    """
    try:
        with Image.open(path) as opened:
            return _in_mode(opened, mode)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise SourceError(f"{path}: not a readable picture ({error})") from error


def _in_mode(picture: Image.Image, mode: str) -> Image.Image:
    picture = ImageOps.exif_transpose(picture)  # a telephone says in the file which side is up
    if picture.mode.startswith("I;16"):  # Pillow would cut 16 bits off, not scale them
        picture = Image.fromarray((np.asarray(picture) // 256).astype(np.uint8))
    if "A" in picture.mode or "transparency" in picture.info:
        above = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)
    return picture.convert(mode)
