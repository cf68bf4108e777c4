"""The only stopwatch: contenders by turns, so that a noisy machine is as noisy for each."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

WARM_UP = 2  # rounds that do not count


@dataclass
class Timing:
    """Seconds of each measured call."""

    seconds: list[float]

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.seconds), max(self.seconds)


def alternate(contenders: Mapping[str, Callable[[], object]], rounds: int, warmup: int = WARM_UP) -> dict[str, Timing]:
    """Call the contenders one after the other, `rounds` times after `warmup` rounds that do not count."""
    return take_turns({name: clocked(contender) for name, contender in contenders.items()}, rounds, warmup)


def take_turns(contenders: Mapping[str, Callable[[], float]], rounds: int, warmup: int = WARM_UP) -> dict[str, Timing]:
    """The same of contenders that hold a clock of their own, and give the seconds of their turn."""
    timings = {name: Timing([]) for name in contenders}
    for i in range(warmup + rounds):
        for name, contender in contenders.items():
            seconds = contender()
            if i >= warmup:
                timings[name].seconds.append(seconds)
    return timings


def clocked(call: Callable[[], object]) -> Callable[[], float]:
    """`call` with a clock beside it, which gives its seconds."""

    def timed() -> float:
        began = time.perf_counter()
        call()
        return time.perf_counter() - began

    return timed
