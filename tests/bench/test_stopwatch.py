"""The stopwatch, and the one thing it times so far."""

from cnnlab.bench.stopwatch import alternate
from cnnlab.bench.train import FORMS, bench_train
from cnnlab.config import compose


def test_contenders_take_turns_and_warm_up_rounds_do_not_count():
    calls = []
    timings = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, warmup=1)
    assert calls == ["a", "b"] * 4
    assert [len(timing.seconds) for timing in timings.values()] == [3, 3]
    fastest, slowest = timings["a"].spread
    assert fastest <= timings["a"].median <= slowest


def test_the_table_has_a_row_for_each_form():
    text = bench_train(compose("benchmark", ["rounds=2", "data.batch_size=4"]))
    assert [line[:28].strip() for line in text.splitlines()[2:]] == list(FORMS)
