"""A dataset read once, then mapped: one file beside the data holds its tensors and says what they were made from."""

import hashlib
import os
import pickle
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from filelock import FileLock
from torch import Tensor

from cnnlab.data.cache_files import FORMAT, cache_places, digest_of, note_fingerprint, stored_size
from cnnlab.data.images import RawDataset, SourceError, Split
from cnnlab.data.readers import Source, sources
from cnnlab.data.specs import SPECS
from cnnlab.errors import UserError
from cnnlab.files import damage_in

STATISTICS_CHUNK = 10_000  # images turned into floats at a time


@dataclass
class Dataset:
    """A whole dataset.

    Attributes:
        source: where it was read from, in words.
        fingerprint: a hash of all images and labels.
        mean, std: a channel's, over the training pixels in [0, 1]: the published ones where the dataset has them.
        covariance: (C, C), of the channels over the training pixels in [0, 1].
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
    """The dataset `name`, from the first of its sources that is whole; mapped from the cache where that is current.

    Args:
        root: the folder of all datasets; for `image_folder` the images' own.
        mirror: URL of a folder with the official files, in place of the origin.
        image_size: the side of the stored images of `image_folder`; the other datasets are stored as distributed.
        log: prints one line about each skipped source.

    Raises:
        UserError: no source is whole; the message names each with its reason.
    """
    spec = SPECS[name]
    side = stored_size(name, image_size)
    reasons, skipped = [], []
    for source in sources(spec, root, download, mirror, side, log):
        try:
            dataset = _map_or_read(source, root, cache_places(name, root, side), name, log)
        except SourceError as error:
            reasons.append(f"  {source.name}: {error}")
            if not error.absent:
                skipped.append(f"skipped {source.name}: {error}")
            continue
        for line in skipped:
            log(line)
        return dataset
    ways = "put the files there" if name != "image_folder" else "name the folder with data.root=FOLDER"
    if not download and name not in ("digits", "image_folder"):
        ways += ", or allow data.download=true"
    elif download and name not in ("digits", "image_folder"):
        ways += ", or name a reachable copy of the official files with data.mirror=URL"
    raise UserError("\n".join([f"{name} was not found whole in any of these places; {ways}:", *reasons]))


def _lock(root: Path, file: str) -> FileLock:
    """One process at a time reads a dataset; apart from the data, so that a failed search leaves nothing there."""
    return FileLock(Path(tempfile.gettempdir()) / f"cnnlab-{os.getuid()}-{digest_of(root)}-{file}.lock")


def _map_or_read(source: Source, root: Path, places: list[Path], name: str, log: Callable[[str], None]) -> Dataset:
    """The dataset from a current cache, beside the data or in the user's folder, else from `source`."""
    with _lock(root, places[0].name):
        stamp = _stamp(source, name)
        for place in places:
            if (stored := _open(place)) is not None and stored["stamp"] == stamp:
                _note(stored, place, source, root, name)
                return _dataset(stored)
        stored = _describe(source.read(), name) | {"stamp": stamp, "source": source.place}
        failures = []
        for place in places:
            try:
                _write(stored, place)
            except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
                failures.append(f"{place}: {error}")
            else:
                _note(stored, place, source, root, name)
                return _dataset(_open(place) or stored)
    log(f"the images could not be cached, so the next run reads them again; {'; '.join(failures)}")
    return _dataset(stored)


def _note(stored: dict[str, Any], place: Path, source: Source, root: Path, name: str) -> None:
    with suppress(OSError):  # a later run then reads the images to know their fingerprint
        note_fingerprint(name, root, place, source.files(), stored["fingerprint"])


def _write(stored: dict[str, Any], place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_suffix(f".{uuid4().hex}.part")
    try:
        torch.save(stored, partial)
        os.replace(partial, place)
    finally:
        partial.unlink(missing_ok=True)


def _stamp(source: Source, name: str) -> str:
    """A hash of what the cache was made from: the dataset's facts, and the files' names, sizes and times."""
    digest = hashlib.sha256(f"{FORMAT} {source.place} {SPECS[name]}".encode())
    for path in source.files():
        status = os.stat(path)
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _open(cache: Path) -> dict[str, Any] | None:
    """The cache's content, its tensors mapped and not read; None where there is none or it is damaged."""
    if not cache.exists() or damage_in(cache):
        return None
    try:
        return torch.load(cache, mmap=True, weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError):
        return None


def _describe(pictures: RawDataset, name: str) -> dict[str, Any]:
    spec = SPECS[name]
    digest = hashlib.sha256()
    for tensor in (pictures.train.images, pictures.train.labels, pictures.test.images, pictures.test.labels):
        digest.update(tensor.numpy().data)
    mean, covariance = channel_statistics(pictures.train.images)
    return {
        "train_images": pictures.train.images,
        "train_labels": pictures.train.labels,
        "test_images": pictures.test.images,
        "test_labels": pictures.test.labels,
        "classes": list(pictures.classes),
        "fingerprint": digest.hexdigest()[:16],
        "mean": list(spec.images.mean) or mean.tolist(),
        "std": list(spec.images.std) or covariance.diagonal().sqrt().clamp(min=1e-3).tolist(),
        "covariance": covariance.float(),
    }


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (C,) and covariance (C, C) of the channels over all pixels of uint8 `images` (N, C, H, W), in [0, 1]."""
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
