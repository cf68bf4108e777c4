"""Contenders in separate processes, so that they share neither allocator nor threads nor memory.

A child waits for its turn, runs the requested number of steps and sends back the seconds that they took. Between its
turns it is stopped, together with the processes that it started, so that it neither works ahead nor takes CPU time from
the others.
"""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, NoReturn

import torch

from cnnlab.benchmarks.stopwatch import Timing, clocked, now, take_turns
from cnnlab.errors import UserError
from cnnlab.machine.probes import peak_memory, reset_peak_memory

# These take seconds to import. The fork server imports them once, and every child is a fork of it.
PRELOADED = ["torch", "torchvision.transforms", "lightning", "torchmetrics.classification", "hydra"]
EXIT_TIMEOUT = 20  # seconds until a child that does not exit is killed


class NoMoreTurns(Exception):
    """The benchmark needs no more steps of this child."""


class Turns:
    """The child's end of the pipe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._start: float | None = None
        self._remaining = 0

    def before_step(self) -> None:
        """Start the next step of this turn, or end the turn and wait for the next one. Call it before each step.

        Raises:
            NoMoreTurns: the benchmark is over.
        """
        if self._remaining == 0:
            end = now()
            self._connection.send(None if self._start is None else end - self._start)
            self._remaining = self._connection.recv()
            if self._remaining == 0:
                raise NoMoreTurns
            self._start = now()
        self._remaining -= 1


Loop = Callable[..., NoReturn]  # (turns, ...): calls turns.before_step() before each step until it raises NoMoreTurns
Contenders = dict[str, tuple[Loop, Mapping[str, Any]]]  # contender -> its loop and the loop's arguments


class Child:
    """The parent's handle of a loop in a child process."""

    def __init__(self, loop: Loop, arguments: Mapping[str, Any]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self._connection, child_connection = context.Pipe()
        # Not a daemon: daemons may not start processes, and data loaders do.
        self._process = context.Process(target=_run_child, args=(child_connection, loop, dict(arguments)))
        self._process.start()
        child_connection.close()

    def wait(self) -> None:
        """Wait until the child is ready for its first turn, and stop it."""
        self._receive()
        self._signal(signal.SIGSTOP)

    def turn(self, steps: int) -> float:
        """Run the next `steps` steps; returns their seconds."""
        self._signal(signal.SIGCONT)
        self._connection.send(steps)
        seconds = self._receive()
        self._signal(signal.SIGSTOP)
        return float(seconds)

    def end(self) -> int:
        """End the loop; returns the child's peak memory in bytes, without the processes that it started."""
        self._signal(signal.SIGCONT)
        self._connection.send(0)
        return int(self._receive())

    def close(self) -> None:
        """Wait for the child to exit, and kill it if it does not."""
        if self._process.is_alive():
            self._signal(signal.SIGCONT)
        self._connection.close()
        self._process.join(EXIT_TIMEOUT)
        if self._process.is_alive():
            self._signal(signal.SIGKILL)
            self._process.join()

    def _receive(self) -> Any:
        try:
            message = self._connection.recv()
        except EOFError:
            self._process.join()
            raise UserError(f"a benchmark process died with exit code {self._process.exitcode}") from None
        if isinstance(message, BaseException):
            raise message
        return message

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # its process group does not exist yet, or no longer
            os.killpg(self._process.pid or 0, number)


@contextmanager
def children(contenders: Contenders) -> Iterator[dict[str, Child]]:
    """Start a child for each contender and wait until all are ready; they exit with the context."""
    with ExitStack() as stack:
        started = {}
        for name, (loop, arguments) in contenders.items():
            started[name] = Child(loop, arguments)
            stack.callback(started[name].close)
        for child in started.values():
            child.wait()
        yield started


def race(
    contenders: Contenders,
    steps: Mapping[str, int],
    rounds: int,
    local_calls: Mapping[str, Callable[[], object]],
) -> tuple[dict[str, Timing], dict[str, int]]:
    """Time contenders, each in its own child process, alternately with calls in this process.

    Args:
        steps: contender -> steps per turn.
        local_calls: name -> a call to time in this process.

    Returns:
        Seconds per step or call, and each child's peak memory in bytes.
    """
    with children(contenders) as running:
        turns = {name: (lambda child=child, n=steps[name]: child.turn(n) / n) for name, child in running.items()}
        timings = take_turns({name: clocked(call) for name, call in local_calls.items()} | turns, rounds)
        return timings, {name: child.end() for name, child in running.items()}


def _run_child(connection: Connection, loop: Loop, arguments: Mapping[str, Any]) -> None:
    """Run `loop` in a child process until the parent ends it or closes the pipe.

    The child has its own process group, so Ctrl-C does not reach it.
    """
    os.setpgrp()
    # Data loaders start their workers by the platform's default method, as they do outside of a benchmark.
    multiprocessing.set_start_method(multiprocessing.get_all_start_methods()[0], force=True)
    reset_peak_memory()
    try:
        loop(Turns(connection), **arguments)
    except NoMoreTurns:
        on_gpu = torch.cuda.is_initialized() and torch.cuda.max_memory_allocated() > 0
        connection.send(peak_memory("cuda" if on_gpu else "cpu"))
    except (EOFError, ConnectionError):  # the parent has closed the pipe
        pass
    except UserError as error:
        connection.send(UserError(str(error)))
    except Exception:
        connection.send(RuntimeError(traceback.format_exc()))
