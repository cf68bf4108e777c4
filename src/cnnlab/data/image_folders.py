"""The images of folders with one subfolder per class, whose files `places.py` lists."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from cnnlab.data.images import RawDataset, Split
from cnnlab.data.places import SUFFIXES, SourceError, class_files, split_folders
from cnnlab.data.specs import DatasetSpec
from cnnlab.data.splits import hold_out
from cnnlab.errors import UserError
from cnnlab.machine.probes import total_memory
from cnnlab.preprocessing import UnreadableImage, fitted, read_image
from cnnlab.preprocessing.pixels import pixels_of

TEST_FRACTION = 0.2  # stratified, with a fixed seed, if there is no folder of test images


def read_folder(spec: DatasetSpec, root: Path, image_size: int, log: Callable[[str], None]) -> RawDataset:
    """Read the images below `root`.

    Args:
        spec: class names and number of images that the folder must have, if they are fixed.
        image_size: side of the returned images, in pixels.
        log: prints one line about files and folders that are not used, and about `val` as the test set.

    Raises:
        SourceError: the folder does not match `spec`, or an image cannot be read.
        UserError: the images would take more than half of the memory.
    """
    trees = [class_files(tree) for tree in split_folders(root)]
    names = [[name for name, _ in tree] for tree in trees]
    if any(other != names[0] for other in names):
        raise SourceError(f"{root}: train and test must have the same classes, got {names[0]} and {names[1]}")
    labels_of = _labels_of(spec, names[0])
    _log_unused(root, log)
    counts = [sum(len(files) for _, files in tree) for tree in trees]
    for split, count, expected in zip(("train", "test"), counts, (spec.train_size, spec.test_size), strict=False):
        if expected and count != expected:
            raise SourceError(f"{root / split} must contain the {expected:,} images of {spec.name}, got {count:,}")
    total = sum(counts)
    _check_memory(total * spec.images.in_channels * image_size**2, f"{total:,} images of {image_size} pixels")
    splits = [_decode(tree, labels_of, spec.images.in_channels, image_size) for tree in trees]
    if len(splits) == 1:
        splits = list(hold_out(splits[0], round(TEST_FRACTION * total), seed=0))
    return RawDataset(splits[0], splits[1], spec.images.classes or tuple(names[0]))


def _log_unused(root: Path, log: Callable[[str], None]) -> None:
    for tree in split_folders(root):
        others = [
            path for folder in tree.iterdir() if folder.is_dir() and not folder.name.startswith(".")
            for path in folder.iterdir() if path.suffix.lower() not in SUFFIXES
        ]  # fmt: skip
        if others:
            log(f"skipped files that are not images in {tree}: {len(others):,}, such as {min(others)}")
    if (root / "train").is_dir() and (root / "val").is_dir():
        if (root / "test").is_dir():
            log(f"{root / 'val'} is not used: validation images are taken from train/")
        else:
            log(f"{root / 'val'} is used as the test set")


def _labels_of(spec: DatasetSpec, names: Sequence[str]) -> dict[str, int]:
    """Return the label of each class folder. Folders of known datasets are named by class or by label."""
    if not spec.images.classes:
        return {name: label for label, name in enumerate(names)}
    by_name = {name.replace("/", "_"): label for label, name in enumerate(spec.images.classes)}
    by_number = {str(label): label for label in range(len(spec.images.classes))}
    for labels in (by_name, by_number):
        if set(labels) == set(names):
            return labels
    raise SourceError(f"the class folders must be {sorted(by_name)}, got {sorted(names)}")


def _check_memory(size: int, what: str) -> None:
    """Raise UserError if `size` is more than half of the memory, in bytes."""
    if size > total_memory() / 2:
        raise UserError(
            f"{what} take {size / 2**30:.1f} GiB, more than half of this machine's {total_memory() / 2**30:.1f} GiB; "
            "use a smaller data.image_size"
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
    """Read an image as uint8 (C, image_size, image_size): resize the shorter side, then crop the center.

    Args:
        mode: `L` or `RGB`; see `preprocessing.read_image`.

    Raises:
        SourceError: the file is not an image, or it is damaged.
    """
    try:
        return pixels_of(fitted(read_image(path, mode), image_size))
    except UnreadableImage as error:
        raise SourceError(str(error)) from error
