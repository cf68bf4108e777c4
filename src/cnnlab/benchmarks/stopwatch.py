"""The package's only stopwatch. Contenders run alternately, so that noise on the machine affects all of them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import torch

WARM_UP = 2  # rounds that are not measured


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

    def rates(self, column: str, amount: float) -> dict[str, float]:
        """`amount` per second as cells of a table: the median under `column`, then the slowest and the fastest call."""
        fastest, slowest = self.spread
        return {column: amount / self.median, "slowest": amount / slowest, "fastest": amount / fastest}


def now() -> float:
    """Seconds on a monotonic clock, read after the GPU has finished its pending work."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()


def alternate(contenders: Mapping[str, Callable[[], object]], rounds: int, warmup: int = WARM_UP) -> dict[str, Timing]:
    """Call the contenders in turn, `rounds` times each after `warmup` rounds that are not measured."""
    return take_turns({name: clocked(contender) for name, contender in contenders.items()}, rounds, warmup)


def take_turns(contenders: Mapping[str, Callable[[], float]], rounds: int, warmup: int = WARM_UP) -> dict[str, Timing]:
    """Like `alternate`, for contenders that measure themselves and return seconds."""
    timings = {name: Timing([]) for name in contenders}
    for i in range(warmup + rounds):
        for name, contender in contenders.items():
            seconds = contender()
            if i >= warmup:
                timings[name].seconds.append(seconds)
    return timings


def clocked(call: Callable[[], object]) -> Callable[[], float]:
    """A function that runs `call` and returns the seconds that it took."""

    def timed() -> float:
        start = now()
        call()
        return now() - start

    return timed
