"""From files on disk to one tensor of images: the sources, tried in order, and what each can say is wrong."""

import gzip
import math
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    """A place where a dataset may lie; `files` and `read` may raise SourceError.

    Attributes:
        name: what it is called when it fails.
        files: makes them ready and lists what `read` reads.
        place: what it is called when it is used.
    """

    name: str
    files: Callable[[], Sequence[str | Path]]
    read: Callable[[], RawDataset]
    place: str


def sources(
    spec: DatasetSpec, root: Path, download: bool, mirror: str | None, image_size: int, log: Callable[[str], None]
) -> Iterator[Source]:
    """The places where `spec` is looked for, in order."""
    if spec.name == "digits":
        yield _source("scikit-learn's digits", lambda: [], lambda: _read_digits(spec))
        return
    if spec.name == "image_folder":
        yield _source(
            f"image folder {root}", lambda: folder_files(root), lambda: read_folder(spec, root, image_size, log)
        )
        return
    official = f"official files in {_official_folder(spec, root)}"
    yield _source(official, lambda: _official_files(spec, root), lambda: _read_official(spec, root))
    tree = root / spec.name
    yield _source(f"image folder {tree}", lambda: tree_files(tree), lambda: read_folder(spec, tree, image_size, log))
    if spec.name == "fashion_mnist":
        yield _source(f"Debian's package in {DEBIAN_FASHION_MNIST}", _debian_files, lambda: _read_debian(spec))
    if download:
        origin = (mirror or _origin(spec)).rstrip("/")
        yield Source(
            f"download from {origin}",
            lambda: _download(spec, root, origin, log),
            lambda: _read_official(spec, root),
            place=official,
        )


def _source(name: str, files: Callable[[], Sequence[str | Path]], read: Callable[[], RawDataset]) -> Source:
    return Source(name, files, read, place=name)


def _read_digits(spec: DatasetSpec) -> RawDataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    small = torch.from_numpy(bunch.images).float().unsqueeze(1) * (255 / 16)  # 17 gray levels, 8 pixels wide
    size = (spec.images.image_size, spec.images.image_size)
    large = torch.nn.functional.interpolate(small, size, mode="bicubic").round().clamp(0, 255)
    whole = Split(large.to(torch.uint8), torch.from_numpy(bunch.target).long())
    return RawDataset(*hold_out(whole, spec.test_size, seed=0), spec.images.classes)


def _official_folder(spec: DatasetSpec, root: Path) -> Path:
    return root / CIFAR_ARCHIVES[spec.name] if spec.name in CIFAR_ARCHIVES else root / spec.official / "raw"


def _official_md5(spec: DatasetSpec) -> dict[str, str]:
    """The checksums of the CIFAR batches, which torchvision knows."""
    from torchvision import datasets

    dataset = getattr(datasets, spec.official)
    return dict([*dataset.train_list, *dataset.test_list, (dataset.meta["filename"], dataset.meta["md5"])])


def _official_files(spec: DatasetSpec, root: Path) -> list[Path]:
    folder = _official_folder(spec, root)
    names = _official_md5(spec) if spec.name in CIFAR_ARCHIVES else IDX_FILES
    files = [folder / name for name in names]
    missing = [path.name for path in files if not path.is_file()]
    if len(missing) == len(files):
        raise SourceError("not there", absent=True)
    if missing:
        raise SourceError(f"{', '.join(missing)} missing")
    return files


def _read_official(spec: DatasetSpec, root: Path) -> RawDataset:
    from torchvision import datasets

    if spec.name in CIFAR_ARCHIVES:
        for name, md5 in _official_md5(spec).items():
            path = _official_folder(spec, root) / name
            if (got := md5_of(path)) != md5:
                raise SourceError(f"{path}: the checksum must be {md5}, got {got}")
    else:
        for name in IDX_FILES:
            _check_idx(_official_folder(spec, root) / name)
    dataset = getattr(datasets, spec.official)
    train, test = dataset(root, train=True), dataset(root, train=False)
    return RawDataset(_split(train), _split(test), spec.images.classes)


def _check_idx(path: Path) -> None:
    """The header says how many bytes follow: four a dimension, then one an element."""
    with path.open("rb") as stream:
        start = stream.read(16)
    header = np.frombuffer(start[: len(start) // 4 * 4], dtype=">u4")
    dimensions = 3 if "images" in path.name else 1
    if len(header) < 1 + dimensions or header[0] != 0x800 + dimensions:
        raise SourceError(f"{path}: not an IDX file of bytes in {dimensions} dimensions")
    wanted = 4 * (1 + dimensions) + math.prod(int(size) for size in header[1 : 1 + dimensions])
    if (got := path.stat().st_size) != wanted:
        raise SourceError(f"{path}: its header announces {wanted:,} bytes, the file has {got:,}")


def _split(dataset) -> Split:  # type: ignore[no-untyped-def]
    """A torchvision dataset's images: (N, H, W) tensors for the IDX files, (N, H, W, 3) arrays for CIFAR."""
    data = torch.as_tensor(dataset.data)
    images = data.unsqueeze(1) if data.ndim == 3 else data.permute(0, 3, 1, 2)
    return Split(images.contiguous(), torch.as_tensor(dataset.targets).long())


def _debian_files() -> list[Path]:
    files = [DEBIAN_FASHION_MNIST / f"{name}.gz" for name in IDX_FILES]
    if not all(path.is_file() for path in files):
        raise SourceError("not there (apt install dataset-fashion-mnist)", absent=True)
    return files


def _read_debian(spec: DatasetSpec) -> RawDataset:
    with tempfile.TemporaryDirectory() as folder:
        raw = _official_folder(spec, Path(folder))
        raw.mkdir(parents=True)
        for path in _debian_files():
            _gunzip(path, raw / path.stem)
        return _read_official(spec, Path(folder))


def _origin(spec: DatasetSpec) -> str:
    from torchvision import datasets

    dataset = getattr(datasets, spec.official)
    return dataset.url.rpartition("/")[0] if spec.name in CIFAR_ARCHIVES else dataset.mirrors[0]


def _download(spec: DatasetSpec, root: Path, origin: str, log: Callable[[str], None]) -> list[Path]:
    """Fetch and unpack the official files."""
    from torchvision import datasets

    dataset = getattr(datasets, spec.official)
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
    """Unpack `archive`, which holds the one folder `folder.name`, in the place of `folder`."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
        with tarfile.open(archive) as tar:
            tar.extractall(partial, filter="data")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(Path(partial) / folder.name, folder)
