"""Several processes for one run: each node's command starts its own, watches them, and ends them together.

Lightning's launcher would type the command again for each process, which a sweep's cannot be, and would end the command
itself without a word when one of them dies. Here the command takes no part in training: it holds the run's folder, and
gives each process (`runs/worker.py`) its part as a line of JSON. That line's pipe stays open as long as the command
lives, so that its processes end with it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from torch.distributed import DistError, Store, TCPStore

from cnnlab.errors import Diverged, Lost, UserError

SOURCES = Path(__file__).resolve().parents[2]
GATHERING = timedelta(minutes=10)  # until all nodes are there
LEAVING = timedelta(seconds=30)  # until all nodes have heard the end
INTERVAL = 0.1  # seconds between two looks
CONSEQUENCES = 0.5  # seconds in which the peers of a process that died have failed too


class Team:
    """The processes of a run, `devices` on each of `nodes`; nothing is started where that is one.

    The nodes meet at a store that the first one's command keeps. There lie the work, once it is told, and the first
    failure, so that all end with the same word.

    Raises:
        UserError: there are several nodes and the environment does not say which one this is.
    """

    def __init__(self, devices: int, nodes: int) -> None:
        self.devices, self.nodes = devices, nodes
        self.node, self.host, port = _place(nodes) if nodes > 1 else (0, "127.0.0.1", 0)
        self._port = port
        self._told = False

    @property
    def size(self) -> int:
        """How many processes train."""
        return self.devices * self.nodes

    def __enter__(self) -> Self:
        if self.size > 1:
            try:
                self._store = TCPStore(self.host, self._port, self.nodes, self.node == 0, GATHERING)
            except DistError as error:
                raise UserError(f"the {self.nodes} nodes did not meet at {self.host}:{self._port}: {error}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.nodes == 1:
            return
        with suppress(DistError):  # a node that has gone hears nothing
            if self.node:
                if error:
                    self._tell_the_end()
                self._store.set(f"left/{self.node}", "")
            else:
                if not self._told:
                    self._store.set("work", json.dumps({"over": str(error) if error else None}))
                self._store.wait([f"left/{node}" for node in range(1, self.nodes)], LEAVING)

    def lead(self, work: dict[str, Any]) -> None:
        """Have all processes of all nodes do `work`, which is what JSON can hold.

        Raises:
            Lost: a process or another node's command was ended from outside.
            BrokenPipeError: whoever read the first one's output has gone.
            OSError, UserError: what one of them failed from; a traceback is in its notes.
        """
        self._told = True
        self._store.set("work", json.dumps(work))
        self._supervise(work)

    def follow(self) -> None:
        """Do the work that the first node tells; return where it says that there is none.

        Raises:
            Lost, OSError, UserError: as `lead`, or what the first node could not begin from.
        """
        try:
            while not self._store.check(["work"]):  # node 0 reads the data first, however long that takes
                time.sleep(INTERVAL)
            work = json.loads(self._store.get("work"))
            if "over" not in work:
                self._supervise(work)
            elif work["over"] is not None:
                raise UserError(f"node 0 did not begin: {work['over']}")
        except DistError as error:
            raise Lost(f"node 0 has gone: {error}") from error

    def _supervise(self, work: dict[str, Any]) -> None:
        processes: list[subprocess.Popen[str]] = []
        try:
            processes += [self._start(local_rank, work) for local_rank in range(self.devices)]
            self._watch(processes)
        except BaseException:
            with suppress(DistError):
                self._tell_the_end()  # before the peers of those that end here fail from it
            raise
        finally:
            for process in processes:
                process.kill()
                process.communicate()
            Console().show_cursor()  # which the progress bar of a process that was killed has hidden

    def _start(self, local_rank: int, work: dict[str, Any]) -> subprocess.Popen[str]:
        rank = self.node * self.devices + local_rank
        places = [str(SOURCES), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = {
            "PYTHONPATH": os.pathsep.join(filter(None, places)),
            "OMP_NUM_THREADS": str(work["cfg"]["trainer"]["threads"]),  # Lightning would choose where it is not set
            "LOCAL_RANK": str(local_rank),
            "NODE_RANK": str(self.node),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "cnnlab.runs.worker"],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=None if rank == 0 else subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C reaches the command alone
        )
        part = work | {"host": self.host, "port": self._store.port, "rank": rank, "size": self.size}
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended already, which is seen below
            process.stdin.write(json.dumps(part) + "\n")
            process.stdin.flush()
        return process

    def _watch(self, processes: list["subprocess.Popen[str]"]) -> None:
        while not all(process.poll() == 0 for process in processes):
            if any(process.poll() for process in processes) or self._store.check(["failure"]):
                self._tell_the_dead(processes)
                time.sleep(CONSEQUENCES)
                self._tell_the_dead(processes)
                raise _error(json.loads(self._store.get("failure")))
            time.sleep(INTERVAL)

    def _tell_the_end(self) -> None:
        report_failure(self._store, {"kind": "lost", "message": f"the command of node {self.node} has ended"})

    def _tell_the_dead(self, processes: list["subprocess.Popen[str]"]) -> None:
        """Whoever ended without a word is the cause, whatever its peers have said meanwhile; 1 is after a report."""
        for local_rank, process in enumerate(processes):
            rank, code = self.node * self.devices + local_rank, process.poll()
            if code is not None and code < 0:
                message = f"the process of rank {rank} was ended by {signal.Signals(-code).name}"
                if code == -signal.SIGKILL:
                    message += ", as happens when memory runs out"
                self._store.set("failure", json.dumps({"kind": "lost", "message": message}))
            elif code:
                message = f"the process of rank {rank} ended with exit code {code} and did not say why"
                report = {"kind": "user", "message": message}
                if code == 1:
                    report_failure(self._store, report)
                else:
                    self._store.set("failure", json.dumps(report))


def report_failure(store: Store, report: dict[str, str]) -> None:
    """Keep `report`, unless another process has failed before."""
    store.compare_set("failure", "", json.dumps(report))


def _error(report: dict[str, str]) -> Exception:
    """What a process reported, to be raised here."""
    message = report["message"]
    error: Exception
    if report["kind"] == "lost":
        return Lost(f"{message}, and the others with it; the same command goes on after the last whole epoch")
    if report["kind"] == "pipe":
        return BrokenPipeError(message)
    kinds = {"os": OSError, "diverged": Diverged}
    error = kinds.get(report["kind"], UserError)(message)
    if "traceback" in report:
        error.add_note(report["traceback"])
    return error


def _place(nodes: int) -> tuple[int, str, int]:
    """This node's number, and where the first one is reached."""
    names = ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
    found = {name: os.environ[name] for name in names if name in os.environ}
    numbers = [found.get("NODE_RANK", ""), found.get("MASTER_PORT", "")]
    if len(found) < len(names) or not all(map(str.isdecimal, numbers)) or int(numbers[0]) >= nodes:
        raise UserError(
            f"trainer.num_nodes={nodes} takes the same command on each node, with NODE_RANK (0 to {nodes - 1}) and the "
            f"first node's MASTER_ADDR and MASTER_PORT in the environment, got {found or 'none of them'}"
        )
    return int(numbers[0]), found["MASTER_ADDR"], int(numbers[1])
