"""Where the parallel jobs of a sweep run: each GPU is a place, or several for small networks; else the CPUs are shared.

Imports nothing heavy, because the launchers import it.
"""

import os
import shutil
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cnnlab.errors import UserError

LOSSES = 2  # lost workers in a row after which a place is not used any more
ATTEMPTS = 3  # of one job
NAME = "CNNLAB_PLACE"  # environment variable with the name of a job's place


@dataclass(frozen=True)
class Place:
    """A place for one job at a time.

    Attributes:
        name: such as `GPU 0`.
        environment: variables of the processes that run there.
    """

    name: str
    environment: Mapping[str, str]


class WorkerLost(Exception):
    """A worker ended without a result, or its GPU failed."""


class Worker(Protocol):
    """A process at a place that runs jobs one after another."""

    def run(self, job: Any) -> Any:
        """Run a job and return its result.

        Raises:
            WorkerLost: the process ended, or its GPU failed.
        """

    def close(self) -> None: ...


def visible_gpus() -> list[str]:
    """Names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        names = [name.strip() for name in given.split(",") if name.strip()]
        return names[: names.index("-1")] if "-1" in names else names
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False, timeout=60)
    return [line.strip() for line in done.stdout.splitlines() if line.strip().isdecimal()]


def places_on(gpus: Sequence[str], per_job: int, jobs_per_gpu: int) -> list[Place]:
    """The places of a machine with `gpus`, the first jobs on different GPUs.

    Args:
        gpus: names as CUDA_VISIBLE_DEVICES takes them.
        per_job: GPUs that each job needs.
        jobs_per_gpu: jobs that share a GPU.

    Raises:
        UserError: a job needs more GPUs than there are.
    """
    if per_job > len(gpus):
        raise UserError(f"trainer.devices must be at most the {len(gpus)} GPUs of this machine, got {per_job}")
    groups = [gpus[first : first + per_job] for first in range(0, len(gpus) - per_job + 1, per_job)]
    names = [f"GPU {', '.join(group)}" for group in groups]
    places = [
        Place(name, {"CUDA_VISIBLE_DEVICES": ",".join(group), NAME: name})
        for name, group in zip(names, groups, strict=True)
    ]
    return places * jobs_per_gpu


def places_of_cpus(count: int, cpus: int) -> list[Place]:
    """`count` places that share the CPUs."""
    threads = str(max(cpus // count, 1))
    return [Place("CPU", {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", threads), NAME: "CPU"})] * count


def this_place() -> str:
    """Name of this machine and, if known, of the GPUs that this process has."""
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES")
    device = os.environ.get(NAME) or (f"GPU {gpus}" if gpus and gpus != "-1" else "")
    host = f"{socket.gethostname()} (job {job})" if (job := os.environ.get("SLURM_JOB_ID")) else socket.gethostname()
    return f"{host}, {device}" if device else host


class Dispatch:
    """Runs jobs at places. Each place takes the next job when it is free.

    A job whose worker is lost goes back to the front of the queue. A place that loses workers repeatedly is given up,
    so that the others do its jobs.

    Args:
        jobs: what the workers run, in order.
        start: starts a worker at a place.
        report: prints one line.
    """

    def __init__(self, jobs: Sequence[Any], start: Callable[[Place], Worker], report: Callable[[str], None]) -> None:
        self._jobs, self._start, self._report = jobs, start, report
        self._waiting = deque(range(len(jobs)))
        self._attempts = [0] * len(jobs)
        self._running = 0
        self._stopped = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self.results: list[Any] = [None] * len(jobs)

    def run(self, places: Sequence[Place]) -> list[Any]:
        """The results in the order of the jobs; None for jobs that were lost at every attempt.

        Raises the first exception of a worker other than WorkerLost.
        """
        workers = [threading.Thread(target=self._work, args=[place], daemon=True) for place in places]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                while worker.is_alive():
                    worker.join(timeout=0.2)  # so that this thread receives signals
        finally:
            with self._changed:
                self._stopped = True
                self._changed.notify_all()
            for worker in workers:
                worker.join(timeout=10)
        if self._error is not None:
            raise self._error
        return self.results

    def _work(self, place: Place) -> None:
        losses, worker = 0, None
        try:
            while losses < LOSSES and (number := self._next()) is not None:
                try:
                    worker = worker or self._start(place)
                    result = self._until_stopped(worker, number)
                except WorkerLost as error:
                    losses += 1
                    if worker is not None:
                        worker.close()
                    worker = None
                    self._give_back(number, f"{place.name}: job {number} lost its process: {error}")
                else:
                    losses = 0
                    self._finish(number, result)
            if losses == LOSSES:
                self._report(f"{place.name} is not used any more: it lost {LOSSES} jobs in a row")
        except BaseException as error:  # raised again by `run`; without it, the other threads would wait for ever
            with self._changed:
                self._error, self._stopped = error, True
                self._changed.notify_all()
        finally:
            if worker is not None:
                worker.close()

    def _until_stopped(self, worker: Worker, number: int) -> Any:
        """Run a job; close its worker if the sweep is stopped meanwhile."""
        ended = threading.Event()

        def watch() -> None:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or ended.is_set())
            if not ended.is_set():
                worker.close()

        threading.Thread(target=watch, daemon=True).start()
        try:
            return worker.run(self._jobs[number])
        finally:
            ended.set()
            with self._changed:
                self._changed.notify_all()

    def _next(self) -> int | None:
        """The next job's number; waits while a running job could come back; None if there is nothing left to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._running == 0 or self._stopped)
            if self._stopped or not self._waiting:
                return None
            self._running += 1
            return self._waiting.popleft()

    def _finish(self, number: int, result: Any) -> None:
        with self._changed:
            self.results[number] = result
            self._running -= 1
            self._changed.notify_all()

    def _give_back(self, number: int, reason: str) -> None:
        with self._changed:
            self._attempts[number] += 1
            self._running -= 1
            if self._attempts[number] < ATTEMPTS and not self._stopped:
                self._waiting.appendleft(number)
            if not self._stopped:
                self._report(reason)
            self._changed.notify_all()
