"""A torture test: `python -m tests.torture.torture [SECONDS] [SEED] [FILE]`, ten minutes with a random seed by default.

Runs are killed, signaled and starved of disk at random moments, bits are flipped in every file that they trust, and
checkpoints, servers and values are hostile. After each blow the same command runs again, undisturbed: its weights must
be those of a run that nothing disturbed, bit for bit, or one line must say what is wrong. The result is a table of
trials, and a Markdown page if FILE is given.
"""

import contextlib
import json
import multiprocessing
import os
import pickle
import random
import resource
import shutil
import signal
import socketserver
import sys
import tempfile
import threading
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cnnlab.errors import UserError

SMALL = ("data=digits", "data.limit=96", "trainer.max_epochs=4", "trainer.threads=1", "trainer.precision=32-true")
FORK = multiprocessing.get_context("fork")


@dataclass
class Outcome:
    """What a command did: exit status, or minus the signal that ended it, and its output."""

    status: int
    out: str
    err: str

    @property
    def has_traceback(self) -> bool:
        return "Traceback" in self.out + self.err


@dataclass
class Ring:
    """The place of the trials.

    Attributes:
        random: draws every moment, file, bit and value.
        reference: digest of the weights of the undisturbed run.
        seconds: that the undisturbed run takes.
    """

    folder: Path
    random: random.Random
    reference: str = ""
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def arguments(self, logs: Path) -> list[str]:
        return [*SMALL, f"log_dir={logs}", f"data.root={self.folder / 'data'}"]

    def run(self, arguments: list[str], command: str = "train", prepare: Callable[[], object] = int) -> "Running":
        return Running(self.folder / f"output-{time.monotonic_ns()}", command, arguments, prepare)

    def begin(self) -> None:
        """Run once without any disturbance."""
        began = time.monotonic()
        outcome = self.run(self.arguments(self.folder / "undisturbed")).wait()
        assert outcome.status == 0, outcome.err
        self.seconds = time.monotonic() - began
        self.reference = weights_of(self.folder / "undisturbed")


class Running:
    """A command in a process of its own, forked after everything is imported, so that it starts immediately."""

    def __init__(self, output: Path, command: str, arguments: list[str], prepare: Callable[[], object]) -> None:
        self.output = output
        for suffix in (".out", ".err"):
            output.with_suffix(suffix).touch()  # the process may be killed before it opens them
        self.process = FORK.Process(target=_command, args=(output, command, arguments, prepare))
        self.process.start()

    def wait(self, signal_number: int | None = None, after: float = 0.0) -> Outcome:
        """Send a signal after some seconds, if any, and wait for the end."""
        if signal_number is not None:
            self.process.join(after)
            if self.process.is_alive() and self.process.pid:
                os.kill(self.process.pid, signal_number)
        self.process.join(120)
        out, err = (self.output.with_suffix(suffix).read_text(errors="replace") for suffix in (".out", ".err"))
        return Outcome(self.process.exitcode if self.process.exitcode is not None else -1, out, err)


def _command(output: Path, command: str, arguments: list[str], prepare: Callable[[], object]) -> None:
    for number, suffix in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(output.with_suffix(suffix), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(output.parent)  # a value such as log_dir=0 is a folder there
    prepare()
    from cnnlab.cli.main import main

    sys.argv = [f"src/{command}.py", *arguments]
    try:
        main(command)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        status = 99
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def weights_of(logs: Path) -> str:
    """A digest of the names and values of the last checkpoint's weights and of the accuracies in the record."""
    from cnnlab.files import checksum_of
    from cnnlab.runs.checkpoint import read_checkpoint

    (result,) = logs.glob("*/*/result.json")
    record = json.loads(result.read_text())
    state = read_checkpoint(result.parent / "checkpoints" / "last.ckpt")["state_dict"]
    weights = [(name, value.tolist()) for name, value in state.items()]
    return checksum_of(repr((record["status"], record["test/acc"], record["test/acc_last"], weights)))


def again(ring: Ring, logs: Path, first: Outcome, may_refuse: bool = False) -> str:
    """Run the command again without disturbance: `survived`, or what went wrong."""
    if first.has_traceback:
        return f"traceback: {first.err[-400:]}"
    second = ring.run(ring.arguments(logs)).wait()
    if second.has_traceback:
        return f"traceback: {second.err[-400:]}"
    if second.status != 0:
        is_line = second.err.startswith("error: ") and second.err.count("\n") == 1
        return "survived" if may_refuse and is_line else f"lost: status {second.status}: {second.err[-400:]}"
    try:
        return "survived" if weights_of(logs) == ring.reference else "lost: other weights"
    except UserError as error:  # a checkpoint of a complete run is checked when it is read
        return "survived" if may_refuse else f"lost: {error}"


def kill(ring: Ring, logs: Path) -> str:
    ring.run(ring.arguments(logs)).wait(signal.SIGKILL, ring.random.uniform(0, ring.seconds))
    return again(ring, logs, Outcome(0, "", ""))


def interrupt(ring: Ring, logs: Path) -> str:
    number = ring.random.choice((signal.SIGINT, signal.SIGTERM))
    first = ring.run(ring.arguments(logs)).wait(number, ring.random.uniform(0.1, ring.seconds))
    if first.status not in (0, 128 + number):
        return f"lost: status {first.status} after {number.name}: {first.err[-300:]}"
    return again(ring, logs, first)


def full_disk(ring: Ring, logs: Path) -> str:
    limit = int(10 ** ring.random.uniform(1, 6.5))

    def starve() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return again(ring, logs, ring.run(ring.arguments(logs), prepare=starve).wait())


def flip_a_bit(ring: Ring, logs: Path) -> str:
    """In a file of an interrupted or complete run, or in the cache of the images."""
    running = ring.run(ring.arguments(logs))
    running.wait(ring.random.choice((None, signal.SIGKILL)), ring.random.uniform(ring.seconds / 2, ring.seconds))
    files = [path for folder in (logs, ring.folder / "data") for path in folder.rglob("*") if path.is_file()]
    path = ring.random.choice([path for path in files if path.stat().st_size])
    content = bytearray(path.read_bytes())
    at = ring.random.randrange(len(content))
    content[at] ^= 1 << ring.random.randrange(8)
    path.write_bytes(content)
    reported = ring.run([f"log_dir={logs}", f"figures={logs / 'report'}"], command="report").wait()
    outcome = again(ring, logs, reported, may_refuse=True)
    return outcome if outcome == "survived" else f"{outcome} (byte {at} of {path.name})"


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
    if outcome.has_traceback:
        return f"traceback: {kind}: {outcome.err[-400:]}"
    return "survived" if outcome.status in (0, 1) else f"lost: {kind}: status {outcome.status}"


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
    if outcome.has_traceback:
        return f"traceback: {key}={value}: {outcome.err[-400:]}"
    if outcome.status not in (0, 1) or (outcome.status == 1 and not outcome.err.startswith("error: ")):
        return f"lost: {key}={value}: status {outcome.status}: {outcome.err[-300:]}"
    return "survived"


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


KINDS: dict[str, Callable[[Ring, Path], str]] = {
    "kill -9": kill,
    "SIGINT or SIGTERM": interrupt,
    "full disk": full_disk,
    "flipped bit": flip_a_bit,
    "hostile checkpoint": hostile_checkpoint,
    "hostile server": hostile_server,
    "bad value": bad_value,
}


def torture(
    seconds: float, seed: int, kinds: Sequence[str] = tuple(KINDS)
) -> tuple[dict[str, Counter[str]], list[str]]:
    """Alternate trials of all kinds for some seconds: outcomes by kind, and what failed."""
    import cnnlab.commands.eval
    import cnnlab.commands.report
    import cnnlab.commands.train  # noqa: F401  (imported once, before the processes are forked)

    counts: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    folder = Path(tempfile.mkdtemp(prefix="cnnlab-torture-"))
    try:
        ring = Ring(folder, random.Random(seed))
        ring.begin()
        end = time.monotonic() + seconds
        for number in range(10**6):
            if time.monotonic() > end:
                break
            kind = kinds[number % len(kinds)]
            logs = folder / f"trial{number}"
            outcome = KINDS[kind](ring, logs)
            counts[kind][outcome.partition(":")[0]] += 1
            if outcome != "survived":
                ring.failures.append(f"trial {number}, {kind}: {outcome}")
                print(ring.failures[-1], flush=True)
            shutil.rmtree(logs, ignore_errors=True)
            for output in folder.glob("output-*"):
                output.unlink()
        return counts, ring.failures
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def table(counts: dict[str, Counter[str]]) -> str:
    """The outcomes in Markdown."""
    columns = ("survived", "lost", "executed", "traceback")
    lines = [f"| blow | tried | {' | '.join(columns)} |", f"| --- | --: | {' | '.join(['--:'] * len(columns))} |"]
    for kind, outcomes in counts.items():
        cells = (str(outcomes[column]) for column in columns)
        lines.append(f"| {kind} | {outcomes.total()} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6)
    print(f"seed {seed}", flush=True)
    counts, failures = torture(seconds, seed)
    print(table(counts))
    if len(sys.argv) > 3:
        from cnnlab.machine.probes import device_name

        head = f"`python -m tests.torture.torture {seconds:g} {seed}` on {device_name('cpu')}:"
        what = (__doc__ or "").partition("\n\n")[2].strip()
        page = f"# Torture test\n\n{what}\n\n{head}\n\n{table(counts)}\n"
        Path(sys.argv[3]).write_text(page, encoding="utf-8")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
