"""Contenders in processes of their own: one's allocator, threads and memory are not another's.

A child waits for its turn, does the steps that it is asked for and tells how many seconds they took. Between its turns
it is stopped, with the processes that it has begun: it neither works ahead nor takes the processor from the others.
"""

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, NoReturn

import torch

from cnnlab.benchmarks.stopwatch import Timing, clocked, take_turns
from cnnlab.errors import UserError
from cnnlab.machine.probes import peak_memory, reset_peak_memory

# What each child needs and takes seconds to import; it is imported once, in the process that all are copied from.
HEAVY = ["torch", "torchvision.transforms", "lightning", "torchmetrics.classification", "hydra"]
PATIENCE = 20  # seconds in which a child ends by itself


class Over(Exception):
    """There are no more turns."""


class Turns:
    """A child's side of the pipe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._began: float | None = None
        self._left = 0

    def before_step(self) -> None:
        """Wait here for the next turn, if the present one is over; to be called before each step.

        Raises:
            Over: there is none.
        """
        if self._left == 0:
            if torch.cuda.is_initialized():
                torch.cuda.synchronize()
            seconds = None if self._began is None else time.perf_counter() - self._began
            self._connection.send(seconds)
            self._left = self._connection.recv()
            if self._left == 0:
                raise Over
            self._began = time.perf_counter()
        self._left -= 1


Loop = Callable[..., NoReturn]  # (turns, ...): begins each step with turns.before_step(), until that raises Over
Contenders = dict[str, tuple[Loop, Mapping[str, Any]]]  # a loop and its arguments by the contender's name


class Child:
    """This process's side: a loop that runs in another one, ready for its first turn."""

    def __init__(self, loop: Loop, arguments: Mapping[str, Any]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(HEAVY)
        self._connection, theirs = context.Pipe()
        # Not a daemon: those may not begin processes, as data loaders do.
        self._process = context.Process(target=_serve, args=(theirs, loop, dict(arguments)))
        self._process.start()
        theirs.close()

    def wait(self) -> None:
        """Return when it is ready, and stopped."""
        self._answer()
        self._signal(signal.SIGSTOP)

    def turn(self, steps: int) -> float:
        """Seconds of its next `steps` steps."""
        self._signal(signal.SIGCONT)
        self._connection.send(steps)
        seconds = self._answer()
        self._signal(signal.SIGSTOP)
        return float(seconds)

    def end(self) -> int:
        """Let it end; the peak of its memory in bytes, without that of the processes that it began."""
        self._signal(signal.SIGCONT)
        self._connection.send(0)
        return int(self._answer())

    def close(self) -> None:
        """Leave no process behind."""
        if self._process.is_alive():
            self._signal(signal.SIGCONT)
        self._connection.close()
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._signal(signal.SIGKILL)
            self._process.join()

    def _answer(self) -> Any:
        try:
            answer = self._connection.recv()
        except EOFError:
            self._process.join()
            raise UserError(f"a process of the benchmark has died, with status {self._process.exitcode}") from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it has ended, or not begun, a group of its own
            os.killpg(self._process.pid or 0, number)


@contextmanager
def children(loops: Contenders) -> Iterator[dict[str, Child]]:
    """A child for each name's loop and its arguments, all ready; they are ended with the context."""
    with ExitStack() as stack:
        started = {}
        for name, (loop, arguments) in loops.items():
            started[name] = Child(loop, arguments)
            stack.callback(started[name].close)
        for child in started.values():
            child.wait()
        yield started


def race(
    loops: Contenders,
    steps: Mapping[str, int],
    rounds: int,
    beside: Mapping[str, Callable[[], object]],
) -> tuple[dict[str, Timing], dict[str, int]]:
    """Loops in children of their own and calls `beside` them in this process, by turns.

    Args:
        steps: of a loop in one turn.

    Returns:
        Seconds of a step, or of a call; and the peak of each child's memory in bytes.
    """
    with children(loops) as running:
        turns = {name: (lambda child=child, n=steps[name]: child.turn(n) / n) for name, child in running.items()}
        timings = take_turns({name: clocked(call) for name, call in beside.items()} | turns, rounds)
        return timings, {name: child.end() for name, child in running.items()}


def _serve(connection: Connection, loop: Loop, arguments: Mapping[str, Any]) -> None:
    """A child's life. In a group of its own it is not told of Ctrl-C, but closes when its pipe does."""
    os.setpgrp()
    # Data loaders begin their workers as in any other process here, not as this one was begun.
    multiprocessing.set_start_method(multiprocessing.get_all_start_methods()[0], force=True)
    reset_peak_memory()
    try:
        loop(Turns(connection), **arguments)
    except Over:
        on_gpu = torch.cuda.is_initialized() and torch.cuda.max_memory_allocated() > 0
        connection.send(peak_memory("cuda" if on_gpu else "cpu"))
    except (EOFError, ConnectionError):  # nobody is waiting any more
        pass
    except UserError as error:
        connection.send(UserError(str(error)))
    except Exception:
        connection.send(RuntimeError(traceback.format_exc()))
