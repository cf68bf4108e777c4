"""The sources of datasets, and the errors of damaged sources."""

import gzip
import hashlib
import pickle
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlab.data import cache, download, places, readers
from cnnlab.data.cache import load
from cnnlab.data.specs import SPECS
from cnnlab.errors import UserError
from tests.conftest import write_tree


def idx_bytes(array: np.ndarray) -> bytes:
    header = np.array([0x800 + array.ndim, *array.shape], dtype=">u4")
    return header.tobytes() + array.astype(np.uint8).tobytes()


def write_mnist(raw: Path, count: int = 30) -> dict[str, bytes]:
    """Write the four IDX files with random images, and return their content."""
    raw.mkdir(parents=True)
    random = np.random.default_rng(0)
    files = {}
    for split in ("train", "t10k"):
        files[f"{split}-images-idx3-ubyte"] = idx_bytes(random.integers(0, 256, (count, 28, 28)))
        files[f"{split}-labels-idx1-ubyte"] = idx_bytes(np.arange(count) % 10)
    for name, content in files.items():
        (raw / name).write_bytes(content)
    return files


def quiet(line: str) -> None:
    """Print nothing."""


def test_official_idx_files_come_first_and_are_read_bit_for_bit(tmp_path):
    files = write_mnist(tmp_path / "MNIST" / "raw")
    write_tree(tmp_path / "mnist" / "train", list("0123456789"), 1, (28, 28), "L")
    dataset = load("mnist", tmp_path, download=False)
    assert dataset.source == f"official files in {tmp_path}/MNIST/raw"
    assert dataset.train.images.shape == (30, 1, 28, 28)
    assert dataset.train.images.numpy().tobytes() == files["train-images-idx3-ubyte"][16:]
    assert dataset.test.labels.tolist() == [i % 10 for i in range(30)]


def test_the_error_for_a_truncated_idx_file_contains_both_sizes(tmp_path):
    write_mnist(tmp_path / "MNIST" / "raw")
    path = tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=f"{path}: the size must be 23,536 bytes according to its header, got 23,436"):
        load("mnist", tmp_path, download=False)


def test_a_flipped_bit_in_an_official_idx_file_is_reported(tmp_path, monkeypatch):
    raw = tmp_path / "MNIST" / "raw"
    checksums = {name: hashlib.md5(content).hexdigest() for name, content in write_mnist(raw).items()}
    monkeypatch.setitem(SPECS, "mnist", replace(SPECS["mnist"], train_size=30, test_size=30))
    monkeypatch.setitem(readers.IDX_MD5, "mnist", checksums)
    load("mnist", tmp_path, download=False)
    path = raw / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
    with pytest.raises(UserError, match=f"{path}: the MD5 checksum must be {checksums[path.name]}, got "):
        load("mnist", tmp_path, download=False)


def test_the_error_for_a_missing_idx_file_contains_its_name(tmp_path):
    write_mnist(tmp_path / "MNIST" / "raw")
    (tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match="missing: train-labels-idx1-ubyte"):
        load("mnist", tmp_path, download=False)


def test_a_damaged_source_is_reported_if_another_one_is_used(tmp_path, small_datasets, monkeypatch):
    raw = small_datasets / "MNIST" / "raw"
    write_mnist(raw)
    (raw / "train-labels-idx1-ubyte").write_bytes(b"not labels")
    lines = []
    try:
        dataset = load("mnist", small_datasets, download=False, log=lines.append)
    finally:
        for path in raw.iterdir():
            path.unlink()
    assert dataset.source == f"image folder {small_datasets}/mnist"
    assert len(lines) == 1
    assert "train-labels-idx1-ubyte: not an IDX file" in lines[0]


def test_the_error_for_a_wrong_checksum_contains_the_cifar_batch(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in readers._official_md5(SPECS["cifar10"]):
        (folder / name).write_bytes(pickle.dumps({}))
    with pytest.raises(UserError, match=rf"{folder}/data_batch_1: the MD5 checksum must be c99cafc1\w+, got \w+"):
        load("cifar10", tmp_path, download=False)


def write_cifar(folder: Path, monkeypatch, count: int = 20) -> None:
    """Write batches of random images in the official layout, and make torchvision expect their checksums."""
    from torchvision import datasets

    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    lists: dict[str, list] = {"train_list": [], "test_list": []}
    for split, names in (("train_list", [f"data_batch_{i}" for i in range(1, 6)]), ("test_list", ["test_batch"])):
        for name in names:
            batch = {
                "data": random.integers(0, 256, (count, 3072), dtype=np.uint8),
                "labels": [i % 10 for i in range(count)],
            }
            (folder / name).write_bytes(pickle.dumps(batch))
            lists[split].append([name, download.md5_of(folder / name)])
        monkeypatch.setattr(datasets.CIFAR10, split, lists[split])
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(SPECS["cifar10"].images.classes)}))
    meta = datasets.CIFAR10.meta | {"md5": download.md5_of(folder / "batches.meta")}
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)


def test_official_cifar_batches_are_read(tmp_path, monkeypatch):
    folder = tmp_path / "cifar-10-batches-py"
    write_cifar(folder, monkeypatch)
    dataset = load("cifar10", tmp_path, download=False)
    first = pickle.loads((folder / "data_batch_1").read_bytes())["data"][3]
    assert dataset.train.images.shape == (100, 3, 32, 32)
    assert torch.equal(dataset.train.images[3], torch.from_numpy(first).view(3, 32, 32))


def test_debians_package_is_used_for_fashion_mnist(tmp_path, monkeypatch):
    package = tmp_path / "package"
    for name, content in write_mnist(tmp_path / "raw").items():
        package.mkdir(exist_ok=True)
        (package / f"{name}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setattr(places, "DEBIAN_FASHION_MNIST", package)
    dataset = load("fashion_mnist", tmp_path / "data", download=False)
    assert dataset.source == f"Debian's package in {package}"
    assert len(dataset.train.labels) == 30


def test_the_error_for_missing_data_lists_every_source_and_the_options(tmp_path):
    with pytest.raises(UserError) as caught:
        load("cifar10", tmp_path, download=False)
    lines = str(caught.value).splitlines()
    assert lines[0] == ("cifar10 could not be read; put the files in one of these places, or set data.download=true:")
    assert lines[1] == f"  official files in {tmp_path}/cifar-10-batches-py: not found"
    assert lines[2] == f"  image folder {tmp_path}/cifar10: train/ not found"
    assert len(lines) == 3


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "cifar100"])
def test_the_facts_match_the_real_data_which_is_read_in_a_minute_and_mapped_in_a_second(name, real_root, tmp_path):
    """Reads through symbolic links, so that an existing cache is not used."""
    spec = SPECS[name]
    for place in real_root.iterdir():
        if place.name != ".cnnlab":
            (tmp_path / place.name).symlink_to(place)
    if not any(
        (tmp_path / place).exists() for place in (spec.official, name, *places.CIFAR_ARCHIVES.get(name, "").split())
    ):
        pytest.skip(f"{name} is not under {real_root}")
    start = time.perf_counter()
    dataset = load(name, tmp_path, download=False)
    assert time.perf_counter() - start < 60
    start = time.perf_counter()
    load(name, tmp_path, download=False)
    assert time.perf_counter() - start < 1
    assert (len(dataset.train.labels), len(dataset.test.labels)) == (spec.train_size, spec.test_size)
    assert dataset.train.images.shape[1:] == (spec.images.in_channels, spec.images.image_size, spec.images.image_size)
    mean, covariance = cache.channel_statistics(dataset.train.images)
    exact = dataset.source.startswith("official")
    assert mean.tolist() == pytest.approx(spec.images.mean, abs=1e-4 if exact else 5e-4)
    assert covariance.diagonal().sqrt().tolist() == pytest.approx(spec.images.std, abs=1e-4 if exact else 2e-3)


def test_the_facts_match_the_digits(data_root):
    spec, dataset = SPECS["digits"], load("digits", data_root, download=False)
    assert (len(dataset.train.labels), len(dataset.test.labels)) == (spec.train_size, spec.test_size) == (1437, 360)
    assert dataset.test.labels.bincount().tolist() == [36, 37, 35, 37, 36, 36, 36, 36, 35, 36]
    mean, covariance = cache.channel_statistics(dataset.train.images)
    assert mean.tolist() == pytest.approx(spec.images.mean, abs=1e-4)
    assert covariance.diagonal().sqrt().tolist() == pytest.approx(spec.images.std, abs=1e-4)
    assert dataset.fingerprint == "2c7106062f5ca1e0"  # the same split on every machine
