"""A torture test: `python -m tests.torture.torture [SECONDS] [SEED] [FILE]`, ten minutes with a random seed by default.

Runs are killed, signaled and starved of disk at random moments, bits are flipped in every file that is read again, and
checkpoints, servers and values are hostile. After each blow the same command runs again, undisturbed: its weights must
be those of a run that nothing disturbed, bit for bit, or one line must say what is wrong. The result is a table of
trials, and a Markdown page if FILE is given. Ctrl-C ends the test after the present trial, with the table so far.
"""

import importlib
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.torture import blows, flips, hostile
from tests.torture.ring import Ring

KINDS: dict[str, Callable[[Ring, Path], str]] = {
    "kill -9": blows.kill,
    "SIGINT or SIGTERM": blows.interrupt,
    "full disk": blows.full_disk,
    "flipped bit in a run": flips.in_a_run,
    "flipped bit in raw images": flips.in_raw_images,
    "flipped bit in a sweep": flips.in_a_sweep,
    "flipped bit in a study": flips.in_a_study,
    "hostile checkpoint": hostile.hostile_checkpoint,
    "hostile server": hostile.hostile_server,
    "bad value": hostile.bad_value,
}
OUTCOMES = ("survived", "lost", "executed", "traceback")


class Stop:
    """Becomes true at Ctrl-C, also where a shell started the test in the background, which ignores it by default."""

    def __init__(self) -> None:
        self.is_asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, signum: int, frame: object) -> None:
        self.is_asked = True


def torture(
    seconds: float, seed: int, kinds: Sequence[str] = tuple(KINDS), stop: Stop | None = None
) -> tuple[dict[str, Counter[str]], list[str]]:
    """Alternate trials of all kinds for some seconds, at least one of each: outcomes by kind, and what failed."""
    for name in ("commands.eval", "commands.report", "commands.train", "commands.tune", "search.study"):
        importlib.import_module(f"cnnlab.{name}")

    counts: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    folder = Path(tempfile.mkdtemp(prefix="cnnlab-torture-"))
    try:
        ring = Ring(folder, random.Random(seed))
        ring.begin()
        end = time.monotonic() + seconds
        for number in range(10**6):
            if (time.monotonic() > end and number >= len(kinds)) or (stop and stop.is_asked):
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
    lines = [f"| blow | tried | {' | '.join(OUTCOMES)} |", f"| --- | --: | {' | '.join(['--:'] * len(OUTCOMES))} |"]
    for kind, outcomes in counts.items():
        cells = (str(outcomes[column]) for column in OUTCOMES)
        lines.append(f"| {kind} | {outcomes.total()} | {' | '.join(cells)} |")
    return "\n".join(lines)


def counts_in(page: str) -> dict[str, Counter[str]]:
    """The outcomes in a page that `table` is part of."""
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")][2:]
    return {kind: Counter(dict(zip(OUTCOMES, map(int, cells), strict=True))) for kind, _, *cells in rows}


def page(counts: dict[str, Counter[str]], seconds: float, seed: int) -> str:
    """The content of docs/torture.md."""
    from cnnlab.machine.probes import device_name

    what = (__doc__ or "").partition("\n\n")[2].strip()
    head = f"`python -m tests.torture.torture {seconds:.0f} {seed}` on {device_name('cpu')}:"
    return f"# Torture test\n\n{what}\n\n{head}\n\n{table(counts)}\n"


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6)
    print(f"seed {seed}", flush=True)
    stop, began = Stop(), time.monotonic()
    counts, failures = torture(seconds, seed, stop=stop)
    print(table(counts), flush=True)
    if len(sys.argv) > 3:
        taken = time.monotonic() - began if stop.is_asked else seconds
        Path(sys.argv[3]).write_text(page(counts, taken, seed), encoding="utf-8")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
