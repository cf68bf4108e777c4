"""Where the files of each dataset may be. Imports no torch, so that missing data is reported immediately."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cnnlab.data.specs import SPECS, DatasetSpec

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
CIFAR_ARCHIVES = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
IDX_FILES = tuple(f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
CIFAR_FILES = {
    "cifar10": (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"),
    "cifar100": ("train", "test", "meta"),
}
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


class SourceError(Exception):
    """A source cannot be used; `absent` is True if it does not exist, and False if it is damaged or incomplete."""

    def __init__(self, reason: str, absent: bool = False) -> None:
        super().__init__(reason)
        self.absent = absent


@dataclass(frozen=True)
class Place:
    """A possible place of a dataset's files.

    Attributes:
        kind: what reads them.
        name: description in messages.
        folder: contains the files.
        files: lists the files, or raises SourceError.
    """

    kind: Literal["package", "official", "folder", "debian"]
    name: str
    folder: Path
    files: Callable[[], Sequence[str | Path]]


def places(spec: DatasetSpec, root: Path) -> Iterator[Place]:
    """The places on this machine, in the order in which they are tried."""
    if spec.name == "digits":
        yield Place("package", "scikit-learn's digits", root, list)
        return
    if spec.name == "image_folder":
        yield Place("folder", f"image folder {root}", root, lambda: folder_files(root))
        return
    official, tree = official_folder(spec, root), root / spec.name
    yield Place("official", f"official files in {official}", official, lambda: official_files(spec, root))
    yield Place("folder", f"image folder {tree}", tree, lambda: tree_files(tree))
    if spec.name == "fashion_mnist":
        package = DEBIAN_FASHION_MNIST
        yield Place("debian", f"Debian's package in {package}", package, debian_files)


def missing(name: str, root: Path, download: bool) -> str | None:
    """The message about a dataset that is in no place and cannot be downloaded, or None."""
    failures = []
    for place in places(SPECS[name], root):
        try:
            place.files()
        except SourceError as error:
            failures.append(f"  {place.name}: {error}")
        else:
            return None
    return None if download and name != "image_folder" else could_not_be_read(name, download, failures)


def could_not_be_read(name: str, download: bool, failures: Sequence[str]) -> str:
    """The message about a dataset that no source has; `failures` has a line for each of them."""
    if name == "image_folder":
        advice = "set data.root=FOLDER to the folder of the images"
    else:
        option = "data.mirror=URL to a mirror of the official files" if download else "data.download=true"
        advice = f"put the files in one of these places, or set {option}"
    return "\n".join([f"{name} could not be read; {advice}:", *failures])


def official_folder(spec: DatasetSpec, root: Path) -> Path:
    """Where torchvision has the official files."""
    return root / CIFAR_ARCHIVES[spec.name] if spec.name in CIFAR_ARCHIVES else root / spec.official / "raw"


def official_files(spec: DatasetSpec, root: Path) -> list[Path]:
    """The official files.

    Raises:
        SourceError: some of them or all are missing.
    """
    files = [official_folder(spec, root) / name for name in CIFAR_FILES.get(spec.name, IDX_FILES)]
    missing = [path.name for path in files if not path.is_file()]
    if len(missing) == len(files):
        raise SourceError("not found", absent=True)
    if missing:
        raise SourceError(f"missing: {', '.join(missing)}")
    return files


def debian_files() -> list[Path]:
    """The files of Debian's package of Fashion-MNIST.

    Raises:
        SourceError: it is not installed.
    """
    files = [DEBIAN_FASHION_MNIST / f"{name}.gz" for name in IDX_FILES]
    if not all(path.is_file() for path in files):
        raise SourceError("not found (apt install dataset-fashion-mnist)", absent=True)
    return files


def tree_files(tree: Path) -> list[str]:
    """Return the paths of all images below `tree`, which must contain `train` and `test`.

    Raises:
        SourceError: a folder is missing, has no images, or has fewer than two classes.
    """
    for split in ("train", "test"):
        if not (tree / split).is_dir():
            raise SourceError(f"{split}/ not found", absent=not tree.exists() or split == "train")
    return folder_files(tree)


def folder_files(root: Path) -> list[str]:
    """Return the paths of all images below `root`.

    Raises:
        SourceError: the folder is missing, a class has no images, or there are fewer than two classes.
    """
    if not root.is_dir():
        raise SourceError("not found", absent=True)
    return [path for tree in split_folders(root) for _, files in class_files(tree) for path in files]


def split_folders(root: Path) -> list[Path]:
    """Return the folder of the training images and, if there is one, the folder of the test images."""
    if not (root / "train").is_dir():
        return [root]
    held_out = [root / name for name in ("test", "val") if (root / name).is_dir()]
    return [root / "train", *held_out[:1]]


def class_files(tree: Path) -> list[tuple[str, list[str]]]:
    """Return the name and the image paths of each class, both in alphabetical order.

    Paths are strings, because creating 60,000 Path objects takes half a second.
    """
    folders = sorted(entry.name for entry in os.scandir(tree) if entry.is_dir() and not entry.name.startswith("."))
    found = []
    for name in folders:
        names = sorted(entry.name for entry in os.scandir(tree / name) if entry.is_file())
        prefix = str(tree / name) + os.sep
        files = [prefix + file for file in names if os.path.splitext(file)[1].lower() in SUFFIXES]
        if not files:
            raise SourceError(f"{tree / name}: a class folder must contain images ({', '.join(sorted(SUFFIXES))})")
        found.append((name, files))
    if len(found) < 2:
        raise SourceError(f"{tree}: must contain one folder per class for at least two classes, got {folders}")
    return found
