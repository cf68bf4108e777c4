"""Sources of the datasets, in the order in which they are tried, and readers that convert their files to tensors."""

import gzip
import math
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnlab.data.download import fetch, md5_of
from cnnlab.data.image_folders import folder_files, read_folder, tree_files
from cnnlab.data.images import RawDataset, SourceError, Split
from cnnlab.data.specs import DatasetSpec
from cnnlab.data.splits import hold_out
from cnnlab.errors import UserError

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
IDX_FILES = tuple(f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
CIFAR_ARCHIVES = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}


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
    if spec.name == "digits":
        yield Source("scikit-learn's digits", lambda: [], lambda: _read_digits(spec))
        return
    if spec.name == "image_folder":
        yield Source(
            f"image folder {root}", lambda: folder_files(root), lambda: read_folder(spec, root, image_size, log)
        )
        return
    official = f"official files in {_official_folder(spec, root)}"
    yield Source(official, lambda: _official_files(spec, root), lambda: _read_official(spec, root))
    tree = root / spec.name
    yield Source(f"image folder {tree}", lambda: tree_files(tree), lambda: read_folder(spec, tree, image_size, log))
    if spec.name == "fashion_mnist":
        yield Source(f"Debian's package in {DEBIAN_FASHION_MNIST}", _debian_files, lambda: _read_debian(spec))
    if download:
        origin = (mirror or _origin(spec)).rstrip("/")
        yield Source(
            f"download from {origin}",
            lambda: _download(spec, root, origin, log),
            lambda: _read_official(spec, root),
            place=official,
        )


def _read_digits(spec: DatasetSpec) -> RawDataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    small = torch.from_numpy(bunch.images).float().unsqueeze(1) * (255 / 16)  # (N, 1, 8, 8), gray levels 0 to 16
    large = torch.nn.functional.interpolate(small, 2 * [spec.images.image_size], mode="bicubic").round().clamp(0, 255)
    complete = Split(large.to(torch.uint8), torch.from_numpy(bunch.target).long())
    return RawDataset(*hold_out(complete, spec.test_size, seed=0), spec.images.classes)


def _official_folder(spec: DatasetSpec, root: Path) -> Path:
    return root / CIFAR_ARCHIVES[spec.name] if spec.name in CIFAR_ARCHIVES else root / spec.official / "raw"


def _official_class(spec: DatasetSpec) -> Any:
    """Return the dataset's class in torchvision, which knows its files, checksums and hosts."""
    from torchvision import datasets  # slow to import

    return getattr(datasets, spec.official)


def _official_md5(spec: DatasetSpec) -> dict[str, str]:
    """Return the checksums of the CIFAR batches by file name."""
    dataset = _official_class(spec)
    return dict([*dataset.train_list, *dataset.test_list, (dataset.meta["filename"], dataset.meta["md5"])])


def _official_files(spec: DatasetSpec, root: Path) -> list[Path]:
    folder = _official_folder(spec, root)
    names = _official_md5(spec) if spec.name in CIFAR_ARCHIVES else IDX_FILES
    files = [folder / name for name in names]
    missing = [path.name for path in files if not path.is_file()]
    if len(missing) == len(files):
        raise SourceError("not found", absent=True)
    if missing:
        raise SourceError(f"missing: {', '.join(missing)}")
    return files


def _read_official(spec: DatasetSpec, root: Path) -> RawDataset:
    if spec.name in CIFAR_ARCHIVES:
        for name, md5 in _official_md5(spec).items():
            path = _official_folder(spec, root) / name
            if (got := md5_of(path)) != md5:
                raise SourceError(f"{path}: the MD5 checksum must be {md5}, got {got}")
    else:
        for name in IDX_FILES:
            _check_idx(_official_folder(spec, root) / name)
    dataset = _official_class(spec)
    train, test = (_split(dataset(root, train=train)) for train in (True, False))
    return RawDataset(train, test, spec.images.classes)


def _check_idx(path: Path) -> None:
    """Check an IDX file: a magic number and the sizes of all dimensions, 4 bytes each, then 1 byte per element."""
    with path.open("rb") as stream:
        start = stream.read(16)
    header = np.frombuffer(start[: len(start) // 4 * 4], dtype=">u4")
    dimensions = 3 if "images" in path.name else 1
    if len(header) < 1 + dimensions or header[0] != 0x800 + dimensions:
        raise SourceError(f"{path}: not an IDX file of bytes with {dimensions} dimensions")
    expected = 4 * (1 + dimensions) + math.prod(int(size) for size in header[1 : 1 + dimensions])
    if (got := path.stat().st_size) != expected:
        raise SourceError(f"{path}: the size must be {expected:,} bytes according to its header, got {got:,}")


def _split(dataset: Any) -> Split:
    """Convert a torchvision dataset: `data` is a tensor (N, H, W) for IDX files and an array (N, H, W, 3) for CIFAR."""
    data = torch.as_tensor(dataset.data)
    images = data.unsqueeze(1) if data.ndim == 3 else data.permute(0, 3, 1, 2)
    return Split(images.contiguous(), torch.as_tensor(dataset.targets).long())


def _debian_files() -> list[Path]:
    files = [DEBIAN_FASHION_MNIST / f"{name}.gz" for name in IDX_FILES]
    if not all(path.is_file() for path in files):
        raise SourceError("not found (apt install dataset-fashion-mnist)", absent=True)
    return files


def _read_debian(spec: DatasetSpec) -> RawDataset:
    with tempfile.TemporaryDirectory() as folder:
        raw = _official_folder(spec, Path(folder))
        raw.mkdir(parents=True)
        for path in _debian_files():
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
    folder = _official_folder(spec, root)
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
    return _official_files(spec, root)


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
