"""Several processes for one run: each node's command starts its own, watches them, and ends them together.

Lightning's launcher would run the command line again in each process, which a job of a sweep does not have, and would
end the command without a message when one process dies. Here the command itself does not train: it holds the run's
folder, and sends each process (`runs/worker.py`) its work as a line of JSON. The pipe of that line stays open as long
as the command lives, so that the processes end with it.
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

import torch
from rich.console import Console
from torch.distributed import DistError, Store, TCPStore

from cnnlab.errors import Diverged, Lost, UserError

SOURCES = Path(__file__).resolve().parents[2]
GATHERING = timedelta(minutes=10)  # for all nodes to connect
LEAVING = timedelta(seconds=30)  # for all nodes to learn that the run has ended
INTERVAL = 0.1  # seconds between two checks of the processes
CONSEQUENCES = 0.5  # seconds in which the peers of a process that died fail as well


class Processes:
    """The processes of a run, `devices` on each of `nodes`; nothing is started if that is one process.

    The nodes meet at a store that the first node's command keeps. It holds the work, and the first failure, so that all
    nodes end with the same message.

    Raises:
        UserError: there are several nodes, and the environment does not say which one this is; or the operating system
            does not support several processes.
    """

    def __init__(self, devices: int, nodes: int) -> None:
        if devices * nodes > 1 and os.name == "nt":
            raise UserError("a run of several processes needs Linux or macOS; use trainer.devices=1")
        self.devices, self.nodes = devices, nodes
        self.node, self.host, port = _place(nodes) if nodes > 1 else (0, "127.0.0.1", 0)
        self._port = port
        self._has_work = False

    @property
    def size(self) -> int:
        """How many processes train."""
        return self.devices * self.nodes

    def check(self, batch_size: int, device: str) -> None:
        """Raise UserError if the processes cannot share the batches evenly, or do not have a GPU each."""
        if batch_size % self.size:
            raise UserError(
                f"data.batch_size is that of all processes together, and must be a multiple of the {self.size} "
                f"processes (trainer.devices x trainer.num_nodes), got {batch_size}"
            )
        if device == "cuda" and self.devices > torch.cuda.device_count():
            gpus = torch.cuda.device_count()
            raise UserError(f"trainer.devices must be at most the {gpus} GPUs of this machine, got {self.devices}")

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
        with suppress(DistError):  # of a node that is gone
            if self.node:
                if error:
                    self._report_the_end()
                self._store.set(f"left/{self.node}", "")
            else:
                if not self._has_work:
                    self._store.set("work", json.dumps({"over": str(error) if error else None}))
                self._store.wait([f"left/{node}" for node in range(1, self.nodes)], LEAVING)

    def run(self, work: dict[str, Any]) -> None:
        """Have all processes of all nodes do `work`, which must be JSON.

        Raises:
            Lost: a process, or another node's command, was ended from outside.
            BrokenPipeError: the reader of the first process's output is gone.
            OSError, UserError: what one of the processes failed with; its traceback is in the notes.
        """
        self._has_work = True
        self._store.set("work", json.dumps(work))
        self._supervise(work)

    def join(self) -> None:
        """Do the work of the first node; return if it has none.

        Raises:
            Lost, OSError, UserError: as `run`, or what kept the first node from starting.
        """
        try:
            while not self._store.check(["work"]):  # the first node reads the data, however long that takes
                time.sleep(INTERVAL)
            work = json.loads(self._store.get("work"))
            if "over" not in work:
                self._supervise(work)
            elif work["over"] is not None:
                raise UserError(f"node 0 did not start: {work['over']}")
        except DistError as error:
            raise Lost(f"node 0 is gone: {error}") from error

    def _supervise(self, work: dict[str, Any]) -> None:
        processes: list[subprocess.Popen[str]] = []
        try:
            processes += [self._start(local_rank, work) for local_rank in range(self.devices)]
            self._watch(processes)
        except BaseException:
            with suppress(DistError):
                self._report_the_end()  # before the peers of the processes that end here fail
            raise
        finally:
            for process in processes:
                process.kill()
                process.communicate()
            Console().show_cursor()  # hidden by the progress bar of a process that was killed

    def _start(self, local_rank: int, work: dict[str, Any]) -> subprocess.Popen[str]:
        rank = self.node * self.devices + local_rank
        places = [str(SOURCES), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = {
            "PYTHONPATH": os.pathsep.join(filter(None, places)),
            "OMP_NUM_THREADS": str(work["cfg"]["trainer"]["threads"]),  # Lightning sets its own if it is not set
            "LOCAL_RANK": str(local_rank),
            "NODE_RANK": str(self.node),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "cnnlab.runs.worker"],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=None if rank == 0 else subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C reaches only the command
        )
        part = work | {"host": self.host, "port": self._store.port, "rank": rank, "size": self.size}
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has already ended, which `_watch` sees
            process.stdin.write(json.dumps(part) + "\n")
            process.stdin.flush()
        return process

    def _watch(self, processes: list["subprocess.Popen[str]"]) -> None:
        while not all(process.poll() == 0 for process in processes):
            if any(process.poll() for process in processes) or self._store.check(["failure"]):
                self._report_the_dead(processes)
                time.sleep(CONSEQUENCES)
                self._report_the_dead(processes)
                raise _error(json.loads(self._store.get("failure")))
            time.sleep(INTERVAL)

    def _report_the_end(self) -> None:
        report_failure(self._store, {"kind": "lost", "message": f"the command of node {self.node} has ended"})

    def _report_the_dead(self, processes: list["subprocess.Popen[str]"]) -> None:
        """A process that ended without a report is the cause, whatever its peers report; exit code 1 means a report."""
        for local_rank, process in enumerate(processes):
            rank, code = self.node * self.devices + local_rank, process.poll()
            if code is not None and code < 0:
                message = f"the process of rank {rank} was ended by {signal.Signals(-code).name}"
                if code == -signal.SIGKILL:
                    message += ", as happens when memory runs out"
                self._store.set("failure", json.dumps({"kind": "lost", "message": message}))
            elif code:
                message = f"the process of rank {rank} ended with exit code {code} without a report"
                report = {"kind": "user", "message": message}
                if code == 1:
                    report_failure(self._store, report)
                else:
                    self._store.set("failure", json.dumps(report))


def report_failure(store: Store, report: dict[str, str]) -> None:
    """Store `report`, unless another process has failed before."""
    store.compare_set("failure", "", json.dumps(report))


def _error(report: dict[str, str]) -> Exception:
    """The exception for what a process reported."""
    message = report["message"]
    error: Exception
    if report["kind"] == "lost":
        return Lost(
            f"{message}, and the others with it; run the same command again to resume after the last completed epoch"
        )
    if report["kind"] == "pipe":
        return BrokenPipeError(message)
    kinds = {"os": OSError, "diverged": Diverged}
    error = kinds.get(report["kind"], UserError)(message)
    if "traceback" in report:
        error.add_note(report["traceback"])
    return error


def _place(nodes: int) -> tuple[int, str, int]:
    """This node's number, and the address and port of the first node."""
    names = ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
    found = {name: os.environ[name] for name in names if name in os.environ}
    numbers = [found.get("NODE_RANK", ""), found.get("MASTER_PORT", "")]
    if len(found) < len(names) or not all(map(str.isdecimal, numbers)) or int(numbers[0]) >= nodes:
        raise UserError(
            f"trainer.num_nodes={nodes} takes the same command on each node, with NODE_RANK (0 to {nodes - 1}) and the "
            f"first node's MASTER_ADDR and MASTER_PORT in the environment, got {found or 'none of them'}"
        )
    return int(numbers[0]), found["MASTER_ADDR"], int(numbers[1])
