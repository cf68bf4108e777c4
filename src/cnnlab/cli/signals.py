"""Signals before anything is written."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
