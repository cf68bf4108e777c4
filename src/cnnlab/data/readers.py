"""Sources of the datasets, in the order in which they are tried, and readers that convert their files to tensors."""

import gzip
import math
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnlab.data.download import fetch, md5_of
from cnnlab.data.image_folders import read_folder
from cnnlab.data.images import RawDataset, Split
from cnnlab.data.places import (
    CIFAR_ARCHIVES,
    IDX_FILES,
    Place,
    SourceError,
    debian_files,
    official_files,
    official_folder,
    places,
)
from cnnlab.data.specs import DatasetSpec
from cnnlab.data.splits import hold_out
from cnnlab.errors import UserError

# Of the unpacked files; torchvision has those of the packed ones.
IDX_MD5 = {
    "mnist": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "fashion_mnist": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}


@dataclass
class Source:
    """A possible location of a dataset. `files` and `read` may raise SourceError.

    Attributes:
        name: description in error messages.
        files: prepares the files that `read` needs and lists them.
        read: reads the files.
        place: description of the location of the files, if it differs from `name`.
    """

    name: str
    files: Callable[[], Sequence[str | Path]]
    read: Callable[[], RawDataset]
    place: str = ""


def sources(
    spec: DatasetSpec, root: Path, download: bool, mirror: str | None, image_size: int, log: Callable[[str], None]
) -> Iterator[Source]:
    """Yield the sources of a dataset in the order in which they are tried; for the arguments, see `cache.load`."""
    for place in places(spec, root):
        yield Source(place.name, place.files, partial(_read, place, spec, root, image_size, log))
    if download and spec.official:
        origin = (mirror or _origin(spec)).rstrip("/")
        yield Source(
            f"download from {origin}",
            lambda: _download(spec, root, origin, log),
            lambda: _read_official(spec, root),
            place=next(places(spec, root)).name,
        )


def _read(place: Place, spec: DatasetSpec, root: Path, image_size: int, log: Callable[[str], None]) -> RawDataset:
    if place.kind == "folder":
        return read_folder(spec, place.folder, image_size, log)
    if place.kind == "official":
        return _read_official(spec, root)
    return _read_debian(spec) if place.kind == "debian" else _read_digits(spec)


def _read_digits(spec: DatasetSpec) -> RawDataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    small = torch.from_numpy(bunch.images).unsqueeze(1) * (255 / 16)  # (N, 1, 8, 8), gray levels 0 to 16, in float64
    large = torch.nn.functional.interpolate(small, 2 * [spec.images.image_size], mode="bicubic")
    # Without rounding errors, which differ between releases of PyTorch, some values end in exactly .5.
    pixels = (large + 1e-6).round().clamp(0, 255).to(torch.uint8)
    complete = Split(pixels, torch.from_numpy(bunch.target).long())
    return RawDataset(*hold_out(complete, spec.test_size, seed=0), spec.images.classes)


def _official_class(spec: DatasetSpec) -> Any:
    """Return the dataset's class in torchvision, which knows its files, checksums and hosts."""
    from torchvision import datasets  # slow to import

    return getattr(datasets, spec.official)


def _official_md5(spec: DatasetSpec) -> dict[str, str]:
    """Return the checksums of the CIFAR batches by file name."""
    dataset = _official_class(spec)
    return dict([*dataset.train_list, *dataset.test_list, (dataset.meta["filename"], dataset.meta["md5"])])


def _read_official(spec: DatasetSpec, root: Path) -> RawDataset:
    if spec.name in CIFAR_ARCHIVES:
        for name, md5 in _official_md5(spec).items():
            _check_md5(official_folder(spec, root) / name, md5)
    else:
        for name in IDX_FILES:
            _check_idx(official_folder(spec, root) / name, spec)
    dataset = _official_class(spec)
    train, test = (_split(dataset(root, train=train)) for train in (True, False))
    return RawDataset(train, test, spec.images.classes)


def _check_md5(path: Path, md5: str) -> None:
    if (got := md5_of(path)) != md5:
        raise SourceError(f"{path}: the MD5 checksum must be {md5}, got {got}")


def _check_idx(path: Path, spec: DatasetSpec) -> None:
    """Check an IDX file: a magic number and the sizes of all dimensions, 4 bytes each, then 1 byte per element.

    A file with the official number of images must be the official one. A file with another number may
    be a subset that somebody made, and cannot be verified.
    """
    with path.open("rb") as stream:
        start = stream.read(16)
    header = np.frombuffer(start[: len(start) // 4 * 4], dtype=">u4")
    dimensions = 3 if "images" in path.name else 1
    if len(header) < 1 + dimensions or header[0] != 0x800 + dimensions:
        raise SourceError(f"{path}: not an IDX file of bytes with {dimensions} dimensions")
    expected = 4 * (1 + dimensions) + math.prod(int(size) for size in header[1 : 1 + dimensions])
    if (got := path.stat().st_size) != expected:
        raise SourceError(f"{path}: the size must be {expected:,} bytes according to its header, got {got:,}")
    if header[1] == (spec.train_size if path.name.startswith("train") else spec.test_size):
        _check_md5(path, IDX_MD5[spec.name][path.name])


def _split(dataset: Any) -> Split:
    """Convert a torchvision dataset: `data` is a tensor (N, H, W) for IDX files and an array (N, H, W, 3) for CIFAR."""
    data = torch.as_tensor(dataset.data)
    images = data.unsqueeze(1) if data.ndim == 3 else data.permute(0, 3, 1, 2)
    return Split(images.contiguous(), torch.as_tensor(dataset.targets).long())


def _read_debian(spec: DatasetSpec) -> RawDataset:
    with tempfile.TemporaryDirectory() as folder:
        raw = official_folder(spec, Path(folder))
        raw.mkdir(parents=True)
        for path in debian_files():
            _gunzip(path, raw / path.stem)
        return _read_official(spec, Path(folder))


def _origin(spec: DatasetSpec) -> str:
    """Return the URL of the folder that torchvision downloads the files from; for Fashion-MNIST that of its authors."""
    if spec.name == "fashion_mnist":  # torchvision's is not encrypted
        return "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion"
    dataset = _official_class(spec)
    return dataset.url.rpartition("/")[0] if spec.name in CIFAR_ARCHIVES else dataset.mirrors[0]


def _download(spec: DatasetSpec, root: Path, origin: str, log: Callable[[str], None]) -> list[Path]:
    """Download and unpack the official files."""
    dataset = _official_class(spec)
    folder = official_folder(spec, root)
    log(f"downloading {spec.name} from {origin}")
    try:
        if spec.name in CIFAR_ARCHIVES:
            archive = root / dataset.filename
            fetch(f"{origin}/{dataset.filename}", archive, dataset.tgz_md5)
            _untar(archive, folder)
        else:
            for name, md5 in dataset.resources:
                fetch(f"{origin}/{name}", folder / name, md5)
                _gunzip(folder / name, folder / Path(name).stem)
    except (UserError, OSError) as error:
        raise SourceError(str(error)) from error
    return official_files(spec, root)


def _gunzip(packed: Path, target: Path) -> None:
    partial = target.with_name(target.name + ".part")
    try:
        with gzip.open(packed) as stream, partial.open("wb") as out:
            shutil.copyfileobj(stream, out)
    except (EOFError, gzip.BadGzipFile) as error:
        raise SourceError(f"{packed}: {error}") from error
    os.replace(partial, target)


def _untar(archive: Path, folder: Path) -> None:
    """Replace `folder` by the content of `archive`, which contains one folder with the same name."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
        with tarfile.open(archive) as tar:
            tar.extractall(partial, filter="data")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(Path(partial) / folder.name, folder)
