"""Downloads from a mirror are resumed and verified, and failures are reported."""

import contextlib
import gzip
import hashlib
import http.server
import tarfile
import threading
import time

import pytest

from cnnlab.data import download
from cnnlab.data.cache import load
from cnnlab.data.readers import _origin
from cnnlab.data.specs import SPECS
from cnnlab.errors import UserError
from tests.data.test_readers import quiet, write_cifar, write_mnist


class Server(http.server.BaseHTTPRequestHandler):
    """Serve `files`, from an offset if requested; stop after `bytes_until_break` if that is set."""

    files: dict[str, bytes] = {}
    bytes_until_break: int | None = None
    ranges: list[str | None] = []

    def do_GET(self):
        content = self.files.get(self.path.lstrip("/"))
        if content is None:
            self.send_error(404)
            return
        requested = self.headers.get("Range")
        type(self).ranges.append(requested)
        start = int(requested.removeprefix("bytes=").rstrip("-")) if requested else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if requested else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: self.bytes_until_break])

    def log_message(self, *_):
        """Print nothing."""


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


def test_an_interrupted_transfer_is_resumed(tmp_path, server, monkeypatch):
    content = bytes(range(256)) * 5000
    Server.files["file.bin"] = content
    monkeypatch.setattr(Server, "bytes_until_break", 1_100_000)
    with pytest.raises(UserError, match="the transfer stopped after 1,100,000 of 1,280,000 bytes; run the same"):
        download.fetch(f"{server}/file.bin", tmp_path / "file.bin", md5(content))
    assert not (tmp_path / "file.bin").exists()
    received = (tmp_path / "file.bin.part").stat().st_size
    assert received > 0
    monkeypatch.setattr(Server, "bytes_until_break", None)
    download.fetch(f"{server}/file.bin", tmp_path / "file.bin", md5(content))
    assert (tmp_path / "file.bin").read_bytes() == content
    assert Server.ranges == [None, f"bytes={received}-"]


def test_a_file_with_a_wrong_checksum_is_deleted(tmp_path, server):
    Server.files["file.bin"] = b"something else"
    with pytest.raises(UserError, match=f"{server}/file.bin: the MD5 checksum must be {'0' * 32}, got "):
        download.fetch(f"{server}/file.bin", tmp_path / "file.bin", "0" * 32)
    assert not list(tmp_path.glob("*.bin*part"))
    assert not (tmp_path / "file.bin").exists()


def test_mnist_is_downloaded_from_a_mirror(tmp_path, server, monkeypatch):
    from torchvision import datasets

    packed = {f"{n}.gz": gzip.compress(c, mtime=0) for n, c in write_mnist(tmp_path / "origin").items()}
    Server.files.update(packed)
    monkeypatch.setattr(datasets.MNIST, "resources", [(name, md5(content)) for name, content in packed.items()])
    dataset = load("mnist", tmp_path / "data", mirror=server, log=quiet)
    assert dataset.source == f"official files in {tmp_path}/data/MNIST/raw"
    (file,) = (tmp_path / "data" / ".cnnlab").glob("*.pt")
    written = file.stat().st_mtime_ns
    assert load("mnist", tmp_path / "data", download=False).fingerprint == dataset.fingerprint
    assert file.stat().st_mtime_ns == written


def test_cifar10_is_downloaded_from_a_mirror(tmp_path, server, monkeypatch):
    from torchvision import datasets

    write_cifar(tmp_path / "origin" / "cifar-10-batches-py", monkeypatch)
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "origin" / "cifar-10-batches-py", "cifar-10-batches-py")
    Server.files["cifar-10-python.tar.gz"] = archive.read_bytes()
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", download.md5_of(archive))
    dataset = load("cifar10", tmp_path / "data", mirror=server, log=quiet)
    assert dataset.train.images.shape == (100, 3, 32, 32)
    assert load("cifar10", tmp_path / "data", download=False).fingerprint == dataset.fingerprint


def test_the_error_for_an_unreachable_mirror_contains_its_url_and_suggests_mirrors(tmp_path):
    with pytest.raises(UserError) as caught:
        load("mnist", tmp_path, mirror="http://127.0.0.1:9", log=quiet)
    assert "or set data.mirror=URL to a mirror of the official files" in str(caught.value)
    with pytest.raises(UserError, match=r"example.com/mnist/train-images-idx3-ubyte.gz: unknown url type"):
        load("mnist", tmp_path, mirror="example.com/mnist", log=quiet)
    assert "http://127.0.0.1:9/train-images-idx3-ubyte.gz: " in str(caught.value)


class Hostile(Server):
    """An answer without an end, or a byte at a time."""

    pause = 0.0

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(400):
                self.wfile.write(b"x" * (1 if self.pause else 2**16))
                self.wfile.flush()
                time.sleep(self.pause)


@pytest.mark.parametrize(
    ("pause", "message"), [(0.0, "larger than every official one"), (0.05, "bytes in 0 seconds, which is too slow")]
)
def test_an_endless_or_slow_answer_ends_with_an_error(tmp_path, monkeypatch, pause, message):
    monkeypatch.setattr(download, "LARGEST", 2**20)
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    monkeypatch.setattr(Hostile, "pause", pause)
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    try:
        with pytest.raises(UserError, match=message):
            download.fetch(f"http://127.0.0.1:{httpd.server_port}/file", tmp_path / "file", "0" * 32)
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
    assert not (tmp_path / "file").exists()
    assert pause or not list(tmp_path.iterdir())


def test_every_origin_is_encrypted():
    for spec in SPECS.values():
        if spec.official:
            assert _origin(spec).startswith("https://")
