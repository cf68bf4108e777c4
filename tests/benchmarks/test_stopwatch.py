"""The stopwatch, and contenders in child processes."""

import os
import time

import pytest
import torch

from cnnlab.benchmarks.child import children, race
from cnnlab.benchmarks.stopwatch import Timing, alternate
from cnnlab.errors import UserError


def test_contenders_alternate_and_warm_up_rounds_are_not_measured():
    calls = []
    timings = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, warmup=1)
    assert calls == ["a", "b"] * 4
    assert [len(timing.seconds) for timing in timings.values()] == [3, 3]
    fastest, slowest = timings["a"].spread
    assert fastest <= timings["a"].median <= slowest


def test_rates_are_the_median_and_the_spread_of_an_amount_per_second():
    rates = Timing([1.0, 4.0, 2.0]).rates("images/s", 8)
    assert rates == {"images/s": 4, "slowest": 2, "fastest": 8}


def test_the_clock_is_read_after_the_gpu_has_finished(monkeypatch):
    order = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: order.append("synchronize"))
    alternate({"a": lambda: order.append("call")}, rounds=1, warmup=0)
    assert order == ["synchronize", "call", "synchronize"]


def sleep(turns, seconds, file):
    """A loop whose steps take `seconds` and each append a dot to `file`."""
    while True:
        turns.before_step()
        time.sleep(seconds)
        with file.open("a") as stream:
            stream.write(".")


def hold(turns, megabytes):
    """A loop that allocates memory once."""
    block = torch.ones(megabytes * 2**18)
    while True:
        turns.before_step()
        block.add_(1)


def fail(turns, message):
    turns.before_step()
    raise UserError(message)


def die(turns):
    turns.before_step()
    os._exit(7)


def test_children_run_the_steps_of_their_turns_and_report_seconds_per_step_and_peak_memory(tmp_path):
    files = {name: tmp_path / name for name in "ab"}
    contenders = {name: (sleep, {"seconds": 0.01, "file": file}) for name, file in files.items()}
    contenders["large"] = (hold, {"megabytes": 300})
    calls = []
    steps = {"a": 2, "b": 3, "large": 1}
    timings, peaks = race(contenders, steps, 2, {"beside": lambda: calls.append(1)})
    assert [len(file.read_text()) for file in files.values()] == [
        2 * 4,
        3 * 4,
    ]  # in two warm-up and two measured rounds
    assert len(calls) == 4
    assert {name: len(timing.seconds) for name, timing in timings.items()} == {"beside": 2, "a": 2, "b": 2, "large": 2}
    assert timings["a"].median >= 0.01  # per step, not per turn
    assert peaks["large"] - peaks["a"] > 200 * 2**20


@pytest.mark.slow
def test_failures_in_a_child_are_raised_in_the_parent(tmp_path):
    with children({"fails": (fail, {"message": "no such step"}), "dies": (die, {})}) as running:
        with pytest.raises(UserError, match="no such step"):
            running["fails"].turn(1)
        with pytest.raises(UserError, match="a benchmark process died with exit code 7"):
            running["dies"].turn(1)
