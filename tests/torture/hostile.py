"""Hostile input: checkpoints that would run code, servers without end, values of the wrong kind."""

import contextlib
import pickle
import socketserver
import threading
import time
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path

from cnnlab.errors import UserError
from tests.torture.ring import Ring, answered


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.marker), "w")


def hostile_checkpoint(ring: Ring, logs: Path) -> str:
    """A checkpoint that would run code, names code as its network, or is broken in its card."""
    import torch

    logs.mkdir()
    marker, path = logs / "executed", logs / "hostile.ckpt"
    (good,) = (ring.folder / "undisturbed").glob("*/*/checkpoints/last.ckpt")
    content = torch.load(good, weights_only=True)
    card = content["cnnlab"]
    kind = ring.random.choice(("payload", "pickle", "target", "name", "missing", "type", "zip", "text"))
    if kind == "payload":
        content["state_dict"]["x"] = Payload(marker)
    elif kind == "target":
        card["network"]["arguments"]["_target_"] = "os.system"
    elif kind == "name":
        card["network"]["name"] = ring.random.choice(("os.system", "", "lenet5.__init__", "../lenet5"))
    elif kind == "missing":
        del card[ring.random.choice(sorted(card))]
    elif kind == "type":
        card[ring.random.choice(sorted(card))] = ring.random.choice((None, 5, "text", [], {"a": 1}))
    if kind in ("pickle", "zip", "text"):
        path.write_bytes(pickle.dumps(Payload(marker)) if kind == "pickle" else b"PK" if kind == "zip" else b"text")
        if kind == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("archive/data.pkl", pickle.dumps(Payload(marker)))
    else:
        torch.save(content, path)
    outcome = ring.run(
        [f"checkpoint={path}", f"data.root={ring.folder / 'data'}", f"log_dir={logs}"], command="eval"
    ).wait()
    if marker.exists():
        return f"executed: {kind}"
    return answered(outcome, kind)


def bad_value(ring: Ring, logs: Path) -> str:
    """A random value for a random key of `train`: one line and nothing written, or a run."""
    from cnnlab.cli.help import keys_of
    from cnnlab.config.schema import COMMANDS

    keys = [key for key, _ in keys_of(COMMANDS["train"])]
    extra = [
        "optimizer.lr",
        "optimizer.betas",
        "model.activation",
        "augment.crop",
        "scheduler.warmup",
        "foo",
        "model.x",
    ]
    key = ring.random.choice([*keys, *extra])
    values = ["null", "-1", "0", "1e999", "nan", "abc", "[]", "[1,2]", "{a: 1}", "''", "1.5", "true", "99999999999",
              "${nothing}", "../x", "a b", "${oc.env:NOTHING}", "'\x1b[2J'", "=", "1,2"]  # fmt: skip
    value = ring.random.choice(values)
    outcome = ring.run([*ring.arguments(logs), "trainer.max_epochs=1", f"++{key}={value}"]).wait()
    return answered(outcome, f"{key}={value}")


ANSWERS = {
    "endless": b"HTTP/1.0 200 OK\r\n\r\n",
    "slow": b"HTTP/1.0 200 OK\r\n\r\n",
    "silent": b"",
    "truncated": b"HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\nshort",
    "wrong": b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
    "large": b"HTTP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\nx",
    "negative": b"HTTP/1.0 200 OK\r\nContent-Length: -5\r\n\r\nx",
    "missing": b"HTTP/1.0 404 Not Found\r\n\r\n",
    "elsewhere": b"HTTP/1.0 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
    "garbage": b"\xff\x00 not HTTP\r\n\r\n",
}


def hostile_server(ring: Ring, logs: Path) -> str:
    """A server that sends no end, nothing, too little, or something else than the file."""
    from cnnlab.data import download

    kind = ring.random.choice(sorted(ANSWERS))

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            with contextlib.suppress(OSError):
                self.request.sendall(ANSWERS[kind])
                for _ in range(100 if kind in ("endless", "slow", "silent") else 0):
                    self.request.sendall(b"x" * {"endless": 2**16, "slow": 1, "silent": 0}[kind])
                    time.sleep(0.0 if kind == "endless" else 0.02)

    before = download.LARGEST, download.PATIENCE
    download.LARGEST, download.PATIENCE = 2**20, 0.2  # type: ignore[misc, assignment]
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            download.fetch(f"http://127.0.0.1:{server.server_address[1]}/file", logs / "file", "0" * 32, timeout=1.0)
        except UserError:
            return "lost: a file was written" if (logs / "file").exists() else "survived"
        except Exception:
            return f"traceback: {kind}: {traceback.format_exc()[-400:]}"
        finally:
            download.LARGEST, download.PATIENCE = before  # type: ignore[misc]
            server.shutdown()
    return f"lost: {kind} was accepted"
