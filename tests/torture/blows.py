"""Blows from outside: a run is killed, signaled, or starved of disk, at a random moment."""

import resource
import signal
from pathlib import Path

from tests.torture.ring import Outcome, Ring, again


def kill(ring: Ring, logs: Path) -> str:
    """SIGKILL at a random moment."""
    ring.run(ring.arguments(logs)).wait(signal.SIGKILL, ring.random.uniform(0, ring.seconds))
    return again(ring, logs, Outcome(0, "", ""))


def interrupt(ring: Ring, logs: Path) -> str:
    """SIGINT or SIGTERM at a random moment."""
    number = ring.random.choice((signal.SIGINT, signal.SIGTERM))
    first = ring.run(ring.arguments(logs)).wait(number, ring.random.uniform(0.1, ring.seconds))
    if first.status not in (0, 128 + number):
        return f"lost: status {first.status} after {number.name}: {first.err[-300:]}"
    return again(ring, logs, first)


def full_disk(ring: Ring, logs: Path) -> str:
    """No file may be larger than a random limit."""
    limit = int(10 ** ring.random.uniform(1, 6.5))

    def starve() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return again(ring, logs, ring.run(ring.arguments(logs), prepare=starve).wait())
