"""The only stopwatch: contenders by turns in one process, so that a noisy machine is as noisy for each."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median


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


def alternate(contenders: Mapping[str, Callable[[], object]], rounds: int, warmup: int = 2) -> dict[str, Timing]:
    """Call the contenders one after the other, `rounds` times after `warmup` rounds that do not count."""
    timings = {name: Timing([]) for name in contenders}
    for i in range(warmup + rounds):
        for name, contender in contenders.items():
            began = time.perf_counter()
            contender()
            if i >= warmup:
                timings[name].seconds.append(time.perf_counter() - began)
    return timings
