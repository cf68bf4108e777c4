"""Where datasets come from, and what is said of sources that are broken."""

import gzip
import hashlib
import http.server
import pickle
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnlab.data import cache, download, readers, specs
from cnnlab.data.cache import load
from cnnlab.data.folders import decode_picture
from cnnlab.data.specs import SPECS
from cnnlab.errors import UserError
from tests.conftest import REPOSITORY, write_tree


def idx_bytes(array: np.ndarray) -> bytes:
    header = np.array([0x800 + array.ndim, *array.shape], dtype=">u4")
    return header.tobytes() + array.astype(np.uint8).tobytes()


def write_mnist(raw: Path, count: int = 30) -> dict[str, bytes]:
    """The four IDX files, with pictures of noise; returns their content."""
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
    """Says nothing."""


def test_official_idx_files_come_first_and_are_read_bit_for_bit(tmp_path):
    files = write_mnist(tmp_path / "MNIST" / "raw")
    write_tree(tmp_path / "mnist" / "train", list("0123456789"), 1, (28, 28), "L")
    dataset = load("mnist", tmp_path, download=False)
    assert dataset.source == f"official files in {tmp_path}/MNIST/raw"
    assert dataset.train.images.shape == (30, 1, 28, 28)
    assert dataset.train.images.numpy().tobytes() == files["train-images-idx3-ubyte"][16:]
    assert dataset.test.labels.tolist() == [i % 10 for i in range(30)]


def test_a_truncated_idx_file_is_named_with_both_sizes(tmp_path):
    write_mnist(tmp_path / "MNIST" / "raw")
    path = tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=f"{path}: its header announces 23,536 bytes, the file has 23,436"):
        load("mnist", tmp_path, download=False)


def test_a_missing_idx_file_is_named(tmp_path):
    write_mnist(tmp_path / "MNIST" / "raw")
    (tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match="train-labels-idx1-ubyte missing"):
        load("mnist", tmp_path, download=False)


def test_a_broken_source_is_told_when_another_one_is_used(tmp_path, small_datasets, monkeypatch):
    raw = small_datasets / "MNIST" / "raw"
    write_mnist(raw)
    (raw / "train-labels-idx1-ubyte").write_bytes(b"not labels")
    said = []
    try:
        dataset = load("mnist", small_datasets, download=False, say=said.append)
    finally:
        for path in raw.iterdir():
            path.unlink()
    assert dataset.source == f"image folder {small_datasets}/mnist"
    assert len(said) == 1
    assert "train-labels-idx1-ubyte: not an IDX file" in said[0]


def test_a_cifar_batch_with_a_wrong_checksum_is_named(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in readers._official_md5(SPECS["cifar10"]):
        (folder / name).write_bytes(pickle.dumps({}))
    with pytest.raises(UserError, match=rf"{folder}/data_batch_1: the checksum must be c99cafc1\w+, got \w+"):
        load("cifar10", tmp_path, download=False)


def write_cifar(folder: Path, monkeypatch, count: int = 20) -> None:
    """Batches in the official layout, whose checksums are taken for the right ones."""
    from torchvision import datasets

    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    lists: dict[str, list] = {"train_list": [], "test_list": []}
    for which, names in (("train_list", [f"data_batch_{i}" for i in range(1, 6)]), ("test_list", ["test_batch"])):
        for name in names:
            batch = {
                "data": random.integers(0, 256, (count, 3072), dtype=np.uint8),
                "labels": [i % 10 for i in range(count)],
            }
            (folder / name).write_bytes(pickle.dumps(batch))
            lists[which].append([name, download.md5_of(folder / name)])
        monkeypatch.setattr(datasets.CIFAR10, which, lists[which])
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(SPECS["cifar10"].classes)}))
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
    monkeypatch.setattr(readers, "DEBIAN_FASHION_MNIST", package)
    dataset = load("fashion_mnist", tmp_path / "data", download=False)
    assert dataset.source == f"Debian's package in {package}"
    assert len(dataset.train.labels) == 30


def test_absent_data_names_every_place_and_the_ways(tmp_path):
    with pytest.raises(UserError) as caught:
        load("cifar10", tmp_path, download=False)
    lines = str(caught.value).splitlines()
    assert lines[0] == (
        "cifar10 was not found whole in any of these places; put the files there, or allow data.download=true:"
    )
    assert lines[1] == f"  official files in {tmp_path}/cifar-10-batches-py: not there"
    assert lines[2] == f"  image folder {tmp_path}/cifar10: train/ is not there"
    assert len(lines) == 3


# Folders of pictures


def test_an_image_folder_takes_mixed_sizes_and_modes_and_holds_out_a_test_set(tmp_path):
    root = tmp_path / "pictures"
    write_tree(root, ["cat", "dog", "emu"], per_class=10, size=(50, 40), mode="RGB")
    Image.new("L", (100, 30), 77).save(root / "cat" / "grey.png")
    Image.new("RGBA", (30, 100), (255, 0, 0, 0)).save(root / "dog" / "clear.png")
    Image.new("P", (64, 64)).save(root / "emu" / "palette.png")
    Image.new("CMYK", (64, 64)).save(root / "emu" / "print.jpg")
    (root / "emu" / "notes.txt").write_text("not a picture")
    dataset = load("image_folder", root, image_size=16)
    assert dataset.classes == ("cat", "dog", "emu")
    assert dataset.train.images.shape == (27, 3, 16, 16)
    assert dataset.test.images.shape == (7, 3, 16, 16)
    assert dataset.test.labels.bincount().tolist() == [2, 2, 3]


def test_a_picture_is_scaled_by_its_shorter_side_and_cropped_in_the_centre(tmp_path):
    path = tmp_path / "wide.png"
    pixels = np.zeros((20, 60, 3), dtype=np.uint8)
    pixels[:, 20:40] = 255  # the middle third of a picture three times as wide as high
    Image.fromarray(pixels).save(path)
    decoded = decode_picture(path, "RGB", 10)
    assert decoded.shape == (3, 10, 10)
    assert decoded[:, :, 1:-1].min() == 255


def test_transparent_becomes_white_and_sixteen_bits_are_scaled(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert decode_picture(tmp_path / "clear.png", "RGB", 8).min() == 255
    Image.fromarray(np.full((8, 8), 0x8000, dtype=np.uint16)).save(tmp_path / "deep.png")
    assert decode_picture(tmp_path / "deep.png", "L", 8).unique().tolist() == [128]


def test_a_folder_with_a_test_tree_keeps_it(tmp_path):
    for split, count in (("train", 6), ("test", 4)):
        write_tree(tmp_path / split, ["a", "b"], per_class=count, size=(20, 20), mode="RGB")
    dataset = load("image_folder", tmp_path, image_size=20)
    assert (len(dataset.train.labels), len(dataset.test.labels)) == (12, 8)


def broken_text(root: Path) -> str:
    (root / "cat" / "text.png").write_text("not a picture")
    return rf"{root}/cat/text.png: not a readable picture"


def broken_half(root: Path) -> str:
    path = root / "cat" / "0000.png"
    path.write_bytes(path.read_bytes()[:60])
    return rf"{path}: not a readable picture"


def broken_empty(root: Path) -> str:
    (root / "empty").mkdir()
    return rf"{root}/empty: a class folder must hold .png, .jpg or .jpeg pictures, and has none"


def broken_one_class(root: Path) -> str:
    for path in (root / "dog").iterdir():
        path.unlink()
    (root / "dog").rmdir()
    return r"must hold a folder for each of at least two classes, got \['cat'\]"


@pytest.mark.parametrize("break_it", [broken_text, broken_half, broken_empty, broken_one_class])
def test_a_broken_image_folder_is_told(break_it, tmp_path):
    root = tmp_path / "pictures"
    write_tree(root, ["cat", "dog"], per_class=3, size=(20, 20), mode="RGB")
    message = break_it(root)
    with pytest.raises(UserError, match=message):
        load("image_folder", root, image_size=20)


def test_train_and_test_must_have_the_same_classes(tmp_path):
    write_tree(tmp_path / "train", ["a", "b"], 2, (20, 20), "RGB")
    write_tree(tmp_path / "test", ["a", "c"], 2, (20, 20), "RGB")
    with pytest.raises(UserError, match=r"must have the same classes, got \['a', 'b'\] and \['a', 'c'\]"):
        load("image_folder", tmp_path, image_size=20)


def test_a_tree_of_a_known_dataset_must_be_whole(tmp_path):
    for split in ("train", "test"):
        write_tree(tmp_path / "mnist" / split, list("0123456789"), 1, (28, 28), "L")
    with pytest.raises(UserError, match="mnist/train must hold the 60,000 pictures of mnist, found 10"):
        load("mnist", tmp_path, download=False)


def test_a_tree_of_a_known_dataset_must_have_its_classes(tmp_path, monkeypatch):
    monkeypatch.setitem(specs.SPECS, "mnist", replace(SPECS["mnist"], train_size=0, test_size=0))
    for split in ("train", "test"):
        write_tree(tmp_path / "mnist" / split, ["one", "two"], 1, (28, 28), "L")
    with pytest.raises(UserError, match=r"the class folders must be \['0', .* got \['one', 'two'\]"):
        load("mnist", tmp_path, download=False)


def test_more_than_half_of_the_memory_is_refused_with_the_number(tmp_path, monkeypatch):
    write_tree(tmp_path, ["a", "b"], 2, (20, 20), "RGB")
    monkeypatch.setattr("cnnlab.data.folders.total_memory", lambda: 2**30)
    with pytest.raises(UserError, match=r"4 pictures of 10000 pixels take 1.1 GiB, more than half .* 1.0 GiB"):
        load("image_folder", tmp_path, image_size=10_000)


# The cache


def test_the_cache_is_mapped_and_made_anew_when_the_pictures_change(tmp_path):
    write_tree(tmp_path, ["a", "b"], 5, (20, 20), "RGB")
    first = load("image_folder", tmp_path, image_size=20)
    (file,) = (tmp_path / ".cnnlab").glob("*.pt")
    written = file.stat().st_mtime_ns
    assert load("image_folder", tmp_path, image_size=20).fingerprint == first.fingerprint
    assert file.stat().st_mtime_ns == written
    Image.new("RGB", (20, 20)).save(tmp_path / "a" / "0000.png")
    assert load("image_folder", tmp_path, image_size=20).fingerprint != first.fingerprint
    assert len(list((tmp_path / ".cnnlab").glob("*.pt"))) == 1


def test_a_broken_cache_is_made_anew(tmp_path):
    write_tree(tmp_path, ["a", "b"], 5, (20, 20), "RGB")
    first = load("image_folder", tmp_path, image_size=20)
    (file,) = (tmp_path / ".cnnlab").glob("*.pt")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert load("image_folder", tmp_path, image_size=20).fingerprint == first.fingerprint


def test_where_the_data_is_read_only_the_users_cache_is_taken(tmp_path, monkeypatch):
    write_tree(tmp_path / "data", ["a", "b"], 5, (20, 20), "RGB")
    (tmp_path / "data" / ".cnnlab").write_text("a file in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    load("image_folder", tmp_path / "data", image_size=20)
    assert len(list((tmp_path / "home").rglob("*.pt"))) == 1


def test_two_processes_on_an_empty_cache_both_succeed(tmp_path):
    write_tree(tmp_path, ["a", "b"], 40, (64, 64), "RGB")
    script = (
        "import sys; sys.path.insert(0, 'src')\n"
        "from pathlib import Path\n"
        "from cnnlab.data.cache import load\n"
        "print(load('image_folder', Path(sys.argv[1]), image_size=64).fingerprint)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script, tmp_path], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=100)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[0] == outputs[1] != ""


# Download


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `files`, whole or from an offset; breaks off after `bytes_until_break` where that is set."""

    files: dict[str, bytes] = {}
    bytes_until_break: int | None = None
    ranges: list[str | None] = []

    def do_GET(self):
        content = self.files.get(self.path.lstrip("/"))
        if content is None:
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        type(self).ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: self.bytes_until_break])

    def log_message(self, *_):
        """Not to the terminal."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(Server, "files", {})
    monkeypatch.setattr(Server, "ranges", [])
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def test_a_broken_transfer_is_resumed_where_it_ended(tmp_path, server, monkeypatch):
    content = bytes(range(256)) * 5000
    Server.files["file.bin"] = content
    monkeypatch.setattr(Server, "bytes_until_break", 1_100_000)
    with pytest.raises(UserError, match="the transfer broke off after 1,100,000 of 1,280,000 bytes"):
        download.fetch(f"{server}/file.bin", tmp_path / "file.bin", md5(content))
    assert not (tmp_path / "file.bin").exists()
    begun = (tmp_path / "file.bin.part").stat().st_size
    assert begun > 0
    monkeypatch.setattr(Server, "bytes_until_break", None)
    download.fetch(f"{server}/file.bin", tmp_path / "file.bin", md5(content))
    assert (tmp_path / "file.bin").read_bytes() == content
    assert Server.ranges == [None, f"bytes={begun}-"]


def test_a_wrong_checksum_leaves_nothing(tmp_path, server):
    Server.files["file.bin"] = b"something else"
    with pytest.raises(UserError, match=f"{server}/file.bin: the checksum must be {'0' * 32}, got "):
        download.fetch(f"{server}/file.bin", tmp_path / "file.bin", "0" * 32)
    assert not list(tmp_path.glob("*.bin*part"))
    assert not (tmp_path / "file.bin").exists()


def test_mnist_is_downloaded_from_a_mirror(tmp_path, server, monkeypatch):
    from torchvision import datasets

    packed = {f"{n}.gz": gzip.compress(c, mtime=0) for n, c in write_mnist(tmp_path / "origin").items()}
    Server.files.update(packed)
    monkeypatch.setattr(datasets.MNIST, "resources", [(name, md5(content)) for name, content in packed.items()])
    dataset = load("mnist", tmp_path / "data", mirror=server, say=quiet)
    assert dataset.source == f"download from {server}"
    assert load("mnist", tmp_path / "data", download=False).fingerprint == dataset.fingerprint


def test_cifar10_is_downloaded_from_a_mirror(tmp_path, server, monkeypatch):
    from torchvision import datasets

    write_cifar(tmp_path / "origin" / "cifar-10-batches-py", monkeypatch)
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "origin" / "cifar-10-batches-py", "cifar-10-batches-py")
    Server.files["cifar-10-python.tar.gz"] = archive.read_bytes()
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", download.md5_of(archive))
    dataset = load("cifar10", tmp_path / "data", mirror=server, say=quiet)
    assert dataset.train.images.shape == (100, 3, 32, 32)
    assert load("cifar10", tmp_path / "data", download=False).fingerprint == dataset.fingerprint


def test_an_unreachable_mirror_is_named_and_mirrors_are_suggested(tmp_path):
    with pytest.raises(UserError) as caught:
        load("mnist", tmp_path, mirror="http://127.0.0.1:9", say=quiet)
    assert "or name a reachable copy of the official files with data.mirror=URL" in str(caught.value)
    assert "http://127.0.0.1:9/train-images-idx3-ubyte.gz: " in str(caught.value)


# The real data


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_the_facts_equal_the_real_data(name, real_root):
    spec = SPECS[name]
    began = time.perf_counter()
    dataset = load(name, real_root, download=False)
    assert time.perf_counter() - began < 60
    began = time.perf_counter()
    load(name, real_root, download=False)
    assert time.perf_counter() - began < 1
    assert (len(dataset.train.labels), len(dataset.test.labels)) == (spec.train_size, spec.test_size)
    assert dataset.train.images.shape[1:] == (spec.in_channels, spec.image_size, spec.image_size)
    mean, covariance = cache.channel_statistics(dataset.train.images)
    exact = dataset.source.startswith("official")
    assert mean.tolist() == pytest.approx(spec.mean, abs=1e-4 if exact else 5e-4)
    assert covariance.diagonal().sqrt().tolist() == pytest.approx(spec.std, abs=1e-4 if exact else 2e-3)


def test_the_facts_equal_the_digits(data_root):
    spec, dataset = SPECS["digits"], load("digits", data_root, download=False)
    assert (len(dataset.train.labels), len(dataset.test.labels)) == (spec.train_size, spec.test_size) == (1437, 360)
    assert dataset.test.labels.bincount().tolist() == [36, 37, 35, 37, 36, 36, 36, 36, 35, 36]
    mean, covariance = cache.channel_statistics(dataset.train.images)
    assert mean.tolist() == pytest.approx(spec.mean, abs=1e-4)
    assert covariance.diagonal().sqrt().tolist() == pytest.approx(spec.std, abs=1e-4)
    assert dataset.fingerprint == "5f9a53c94992a611"  # the same split on every machine
