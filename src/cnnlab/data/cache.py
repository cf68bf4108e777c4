"""A cache of the datasets as tensors: read once, then memory-mapped from one file beside the data."""

import hashlib
import os
import pickle
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from filelock import FileLock
from torch import Tensor

from cnnlab.data.cache_files import FORMAT, cache_places, digest_of, note_fingerprint, stored_size
from cnnlab.data.images import RawDataset, Split
from cnnlab.data.places import SourceError, could_not_be_read
from cnnlab.data.readers import Source, sources
from cnnlab.data.specs import SPECS
from cnnlab.errors import UserError
from cnnlab.files import damage_in
from cnnlab.machine.probes import user_id

STATISTICS_CHUNK = 10_000  # images converted to floats together


@dataclass
class Dataset:
    """A complete dataset.

    Attributes:
        source: description of the source it was read from.
        fingerprint: hash of all images and labels.
        mean, std: statistics per channel of the training pixels in [0, 1]: the published ones if there are any.
        covariance: (C, C), of the channels of the training pixels in [0, 1].
    """

    train: Split
    test: Split
    classes: tuple[str, ...]
    source: str
    fingerprint: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    covariance: Tensor


def load(
    name: str,
    root: Path,
    download: bool = True,
    mirror: str | None = None,
    image_size: int | None = None,
    log: Callable[[str], None] = print,
) -> Dataset:
    """Load a dataset from its first complete source, or from the cache if that is up to date.

    Args:
        name: key of `SPECS`.
        root: folder of all datasets; for `image_folder`, the folder of the images.
        download: try to download the official files if no local source is complete.
        mirror: URL of a folder with the official files, used instead of the original host.
        image_size: side of the stored images of `image_folder`; other datasets are stored as distributed.
        log: prints one line, for example about a skipped source.

    Raises:
        UserError: no source is complete; the message lists all sources and the reasons.
    """
    spec = SPECS[name]
    side = stored_size(name, image_size)
    failures, skipped = [], []
    for source in sources(spec, root, download, mirror, side, log):
        try:
            dataset = _map_or_read(source, root, cache_places(name, root, side), name, log)
        except SourceError as error:
            failures.append(f"  {source.name}: {error}")
            if not error.absent:
                skipped.append(f"skipped {source.name}: {error}")
            continue
        for line in skipped:
            log(line)
        return dataset
    raise UserError(could_not_be_read(name, download, failures))


def _map_or_read(source: Source, root: Path, caches: list[Path], name: str, log: Callable[[str], None]) -> Dataset:
    """Map an up-to-date cache file, which is beside the data or in the user's cache folder, or read the source.

    One process at a time reads a dataset. The lock file is not beside the data, because that folder may not exist.
    """
    lock = Path(tempfile.gettempdir()) / f"cnnlab-{user_id()}-{digest_of(root)}-{caches[0].name}.lock"
    with FileLock(lock):
        files = source.files()
        stamp = _stamp(source, files, name)
        for cache in caches:
            if (stored := _open(cache)) is not None and stored["stamp"] == stamp:
                _note(stored, cache, files, root, name)
                return _dataset(stored)
        stored = _describe(source.read(), name) | {"stamp": stamp, "source": source.place or source.name}
        failures = []
        for cache in caches:
            for leftover in cache.parent.glob(f"{cache.stem}.*.part"):
                leftover.unlink(missing_ok=True)  # of a process that was killed while it wrote
            try:
                _write(stored, cache)
            except (OSError, RuntimeError) as error:  # torch.save raises RuntimeError if the disk is full
                failures.append(f"{cache}: {error}")
            else:
                _note(stored, cache, files, root, name)
                return _dataset(_open(cache) or stored)
    log(f"the images could not be cached, so the next run reads them again; {'; '.join(failures)}")
    return _dataset(stored)


def _note(stored: dict[str, Any], cache: Path, files: Sequence[str | Path], root: Path, name: str) -> None:
    with suppress(OSError):  # a later run then reads the images to know their fingerprint
        note_fingerprint(name, root, cache, files, stored["fingerprint"])


def _write(stored: dict[str, Any], cache: Path) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_suffix(f".{uuid4().hex}.part")
    try:
        torch.save(stored, partial)
        os.replace(partial, cache)
    finally:
        partial.unlink(missing_ok=True)


def _stamp(source: Source, files: Sequence[str | Path], name: str) -> str:
    """Hash everything that the cache depends on: the dataset's facts, and the files' paths, sizes and times."""
    digest = hashlib.sha256(f"{FORMAT} {source.place or source.name} {SPECS[name]}".encode())
    for path in files:
        status = os.stat(path)
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _open(cache: Path) -> dict[str, Any] | None:
    """Open a cache file with memory-mapped tensors; return None if it is missing or damaged."""
    if not cache.exists() or damage_in(cache):
        return None
    try:
        return torch.load(cache, mmap=True, weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError):
        return None


def _describe(raw: RawDataset, name: str) -> dict[str, Any]:
    """Return the content of the cache file, without its stamp and source."""
    spec = SPECS[name]
    digest = hashlib.sha256()
    for tensor in (raw.train.images, raw.train.labels, raw.test.images, raw.test.labels):
        digest.update(tensor.numpy().data)
    mean, covariance = channel_statistics(raw.train.images)
    return {
        "train_images": raw.train.images,
        "train_labels": raw.train.labels,
        "test_images": raw.test.images,
        "test_labels": raw.test.labels,
        "classes": list(raw.classes),
        "fingerprint": digest.hexdigest()[:16],
        "mean": list(spec.images.mean) or mean.tolist(),
        "std": list(spec.images.std) or covariance.diagonal().sqrt().clamp(min=1e-3).tolist(),
        "covariance": covariance.float(),
    }


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean (C,) and covariance (C, C) of the channels of uint8 images (N, C, H, W), scaled to [0, 1]."""
    channels, pixels = images.shape[1], images.numel() // images.shape[1]
    total = torch.zeros(channels, dtype=torch.float64)
    products = torch.zeros(channels, channels, dtype=torch.float64)
    for chunk in images.split(STATISTICS_CHUNK):
        values = chunk.transpose(0, 1).flatten(1).double() / 255
        total += values.sum(1)
        products += values @ values.T
    mean = total / pixels
    return mean, products / pixels - torch.outer(mean, mean)


def _dataset(stored: dict[str, Any]) -> Dataset:
    """Convert the content of a cache file."""
    return Dataset(
        train=Split(stored["train_images"], stored["train_labels"]),
        test=Split(stored["test_images"], stored["test_labels"]),
        classes=tuple(stored["classes"]),
        source=stored["source"],
        fingerprint=stored["fingerprint"],
        mean=tuple(stored["mean"]),
        std=tuple(stored["std"]),
        covariance=stored["covariance"],
    )
