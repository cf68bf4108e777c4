"""The first thing that a command runs, so that a signal during the imports ends it without a traceback."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(command: str) -> None:
    """Run `command` with the arguments of this process; see `cnnlab.cli.main`."""
    with ending_at_signals():
        from cnnlab.cli.main import main as run
    run(command)


def script() -> None:
    """`cnnlab COMMAND ARGUMENTS`, the installed program."""
    with ending_at_signals():
        from cnnlab.cli.main import script as run
    run()


@contextmanager
def ending_at_signals() -> Iterator[None]:
    """Within the context, Ctrl-C and SIGTERM end the process immediately, with status 130 and 143.

    An exception in the middle of an import may be caught or changed there. Nothing is written during imports.
    """

    def end(signum: int, frame: FrameType | None) -> None:
        os._exit(128 + signum)

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as in a background process
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
