"""The stopwatch, and contenders in processes of their own."""

import os
import time

import pytest
import torch

from cnnlab.benchmarks.child import children, race
from cnnlab.benchmarks.stopwatch import alternate
from cnnlab.errors import UserError


def test_contenders_take_turns_and_warm_up_rounds_do_not_count():
    calls = []
    timings = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, warmup=1)
    assert calls == ["a", "b"] * 4
    assert [len(timing.seconds) for timing in timings.values()] == [3, 3]
    fastest, slowest = timings["a"].spread
    assert fastest <= timings["a"].median <= slowest


def sleep(turns, seconds, file):
    """A loop whose steps take `seconds`, and are counted in `file`."""
    while True:
        turns.before_step()
        time.sleep(seconds)
        with file.open("a") as stream:
            stream.write(".")


def hold(turns, megabytes):
    """A loop that has taken memory once."""
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


def test_children_do_the_steps_of_their_turns_and_tell_seconds_of_a_step_and_memory(tmp_path):
    files = {name: tmp_path / name for name in "ab"}
    contenders = {name: (sleep, {"seconds": 0.01, "file": file}) for name, file in files.items()}
    contenders["large"] = (hold, {"megabytes": 300})
    calls = []
    steps = {"a": 2, "b": 3, "large": 1}
    timings, peaks = race(contenders, steps, 2, {"beside": lambda: calls.append(1)})
    assert [len(file.read_text()) for file in files.values()] == [2 * 4, 3 * 4]  # two rounds of warm-up
    assert len(calls) == 4
    assert {name: len(timing.seconds) for name, timing in timings.items()} == {"beside": 2, "a": 2, "b": 2, "large": 2}
    assert timings["a"].median >= 0.01  # of a step, not of a turn
    assert peaks["large"] - peaks["a"] > 200 * 2**20


@pytest.mark.slow
def test_what_goes_wrong_in_a_child_is_told(tmp_path):
    with children({"fails": (fail, {"message": "no such step"}), "dies": (die, {})}) as running:
        with pytest.raises(UserError, match="no such step"):
            running["fails"].turn(1)
        with pytest.raises(UserError, match="a process of the benchmark has died, with status 7"):
            running["dies"].turn(1)
