"""The place of the trials: commands in processes of their own, and what became of their weights."""

import contextlib
import json
import multiprocessing
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cnnlab.errors import UserError

SMALL = ("data.limit=96", "trainer.max_epochs=4", "trainer.threads=1", "trainer.precision=32-true")
LONGEST = 900  # seconds after which a command counts as hanging
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

    @property
    def is_one_line(self) -> bool:
        """Whether the command ended with one line that says what is wrong."""
        return self.status == 1 and self.err.startswith("error: ") and self.err.count("\n") == 1


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

    def arguments(self, logs: Path, data: str = "digits", root: Path | None = None) -> list[str]:
        return [*SMALL, f"data={data}", f"log_dir={logs}", f"data.root={root or self.folder / 'data'}"]

    def run(self, arguments: list[str], command: str = "train", prepare: Callable[[], object] = int) -> "Running":
        return Running(self.folder / f"output-{time.monotonic_ns()}", command, arguments, prepare)

    def begin(self) -> None:
        """Run once without any disturbance."""
        began = time.monotonic()
        outcome = self.run(self.arguments(self.folder / "undisturbed")).wait()
        assert outcome.status == 0, outcome.err
        self.seconds = time.monotonic() - began
        self.reference = weights_of(self.folder / "undisturbed")

    def flip_in(self, path: Path) -> str:
        """Flip a random bit of a file; return the place."""
        content = bytearray(path.read_bytes())
        at = self.random.randrange(len(content))
        content[at] ^= 1 << self.random.randrange(8)
        path.write_bytes(content)
        return f"byte {at} of {path.name}"


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
        try:
            if signal_number is not None:
                self.process.join(after)
                if self.process.is_alive() and self.process.pid:
                    os.kill(self.process.pid, signal_number)
            self.process.join(LONGEST)
        finally:
            hangs = self.process.is_alive()
            if hangs:
                self.process.kill()
                self.process.join()
        out, err = (self.output.with_suffix(suffix).read_text(errors="replace") for suffix in (".out", ".err"))
        return Outcome(self.process.exitcode or 0, out, f"hangs after {LONGEST} s\n{err}" if hangs else err)


def _command(output: Path, command: str, arguments: list[str], prepare: Callable[[], object]) -> None:
    for number, suffix in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(output.with_suffix(suffix), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
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
    """A digest of the names and values of the last checkpoint's weights and of the accuracies in the record.

    Empty unless `logs` holds exactly one run with seed 0.
    """
    from cnnlab.files import checksum_of
    from cnnlab.runs.checkpoint import read_checkpoint

    records = {path.parent: json.loads(path.read_text()) for path in logs.glob("*/*/result.json")}
    found = {folder: record for folder, record in records.items() if record["seed"] == 0}
    if len(found) != 1:
        return ""
    ((folder, record),) = found.items()
    state = read_checkpoint(folder / "checkpoints" / "last.ckpt")["state_dict"]
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
        accepted = may_refuse and second.is_one_line
        return "survived" if accepted else f"lost: status {second.status}: {second.err[-400:]}"
    try:
        return "survived" if weights_of(logs) == ring.reference else "lost: other weights"
    except UserError as error:  # a checkpoint of a complete run is checked when it is read
        return "survived" if may_refuse else f"lost: {error}"


def answered(outcome: Outcome, what: str = "") -> str:
    """`survived` if the command succeeded or said in one line what is wrong, or what went wrong."""
    if outcome.has_traceback:
        return f"traceback: {what}: {outcome.out[-200:]}{outcome.err[-400:]}"
    if outcome.status == 0 or outcome.is_one_line:
        return "survived"
    return f"lost: {what}: status {outcome.status}: {outcome.err[-300:]}"
