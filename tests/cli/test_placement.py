"""Jobs of a sweep on several GPUs, simulated: which job has which GPU, and what happens if one fails."""

import threading
from collections import Counter

import pytest

from cnnlab.cli.placement import Dispatch, Place, WorkerLost, places_of_cpus, places_on, this_place, visible_gpus
from cnnlab.errors import UserError


class Cards:
    """Fake GPUs: records which job ran where, and how many were busy."""

    def __init__(self, at_once: int, broken: str = "") -> None:
        self.broken = broken
        self.together = threading.Barrier(at_once)
        self.ran: list[tuple[int, str]] = []
        self.busy: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.started = 0

    def start(self, place: Place) -> "Card":
        with self.lock:
            self.started += 1
        return Card(self, place.environment["CUDA_VISIBLE_DEVICES"])


class Card:
    def __init__(self, cards: Cards, gpu: str) -> None:
        self.cards, self.gpu = cards, gpu

    def run(self, job: int) -> int:
        if self.gpu == self.cards.broken:
            raise WorkerLost("CUDA error: uncorrectable ECC error encountered")
        with self.cards.lock:
            self.cards.busy[self.gpu] += 1
            self.cards.most[self.gpu] = max(self.cards.most[self.gpu], self.cards.busy[self.gpu])
            self.cards.ran.append((job, self.gpu))
        if job < self.cards.together.parties:
            self.cards.together.wait(timeout=10)  # fails unless all places work at the same time
        with self.cards.lock:
            self.cards.busy[self.gpu] -= 1
        return job * job

    def close(self) -> None:
        pass


def test_a_hundred_jobs_on_eight_gpus_keep_all_of_them_busy():
    cards = Cards(at_once=8)
    lines: list[str] = []
    places = places_on(list("01234567"), per_job=1, jobs_per_gpu=1)
    assert Dispatch(range(100), cards.start, lines.append).run(places) == [job * job for job in range(100)]
    assert sorted(job for job, _ in cards.ran) == list(range(100))
    assert {gpu for _, gpu in cards.ran} == set("01234567")
    assert set(cards.most.values()) == {1}
    assert cards.started == 8
    assert not lines


def test_the_jobs_of_a_gpu_that_fails_are_done_by_the_others():
    cards = Cards(at_once=7, broken="3")
    lines: list[str] = []
    places = places_on(list("01234567"), per_job=1, jobs_per_gpu=1)
    assert Dispatch(range(100), cards.start, lines.append).run(places) == [job * job for job in range(100)]
    assert "3" not in {gpu for _, gpu in cards.ran}
    assert lines[-1] == "GPU 3 is not used any more: it lost 2 jobs in a row"
    assert sum("uncorrectable ECC error" in line for line in lines) == 2


def test_without_a_working_gpu_the_jobs_are_lost():
    cards = Cards(at_once=1, broken="0")
    assert Dispatch(range(3), cards.start, lambda line: None).run(places_on(["0"], 1, 1)) == [None] * 3


def test_small_networks_share_a_gpu_but_the_first_jobs_have_one_each():
    places = places_on(["0", "1"], per_job=1, jobs_per_gpu=2)
    assert [place.name for place in places] == ["GPU 0", "GPU 1", "GPU 0", "GPU 1"]
    cards = Cards(at_once=4)
    Dispatch(range(40), cards.start, lambda line: None).run(places)
    assert cards.most == {"0": 2, "1": 2}


def test_a_job_with_several_processes_has_as_many_gpus():
    places = places_on(["4", "5", "6", "7", "9"], per_job=2, jobs_per_gpu=1)
    assert [place.environment["CUDA_VISIBLE_DEVICES"] for place in places] == ["4,5", "6,7"]
    with pytest.raises(UserError, match=r"trainer\.devices must be at most the 2 GPUs of this machine, got 4"):
        places_on(["0", "1"], per_job=4, jobs_per_gpu=1)


def test_an_unexpected_error_of_one_job_ends_those_that_run():
    running, closed = threading.Event(), threading.Event()

    class Job:
        def run(self, job: int) -> int:
            if job == 1:
                running.wait(timeout=10)
                raise TypeError("cannot pickle")
            running.set()
            closed.wait(timeout=10)
            raise WorkerLost("closed")

        def close(self) -> None:
            closed.set()

    with pytest.raises(TypeError, match="cannot pickle"):
        Dispatch([0, 1, 2], lambda place: Job(), lambda line: None).run(places_of_cpus(2, 2))
    assert closed.is_set()


def test_an_unexpected_error_of_a_worker_ends_the_sweep():
    class Broken:
        def run(self, job: int) -> int:
            raise TypeError("cannot pickle")

        def close(self) -> None:
            pass

    with pytest.raises(TypeError, match="cannot pickle"):
        Dispatch(range(5), lambda place: Broken(), lambda line: None).run(places_of_cpus(2, 2))


@pytest.mark.parametrize(
    ("variable", "gpus"),
    [("2,5", ["2", "5"]), ("", []), ("-1", []), ("0,-1,2", ["0"]), ("GPU-8f2a, GPU-91c0", ["GPU-8f2a", "GPU-91c0"])],
)
def test_only_the_visible_gpus_are_used(variable, gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert visible_gpus() == gpus


def test_a_job_knows_where_it_runs(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "node7")
    monkeypatch.delenv("CNNLAB_PLACE", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert this_place() == "node7, GPU 3"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert this_place() == "node7"
    monkeypatch.setenv("CNNLAB_PLACE", "CPU")
    monkeypatch.setenv("SLURM_JOB_ID", "411")
    assert this_place() == "node7 (job 411), CPU"
