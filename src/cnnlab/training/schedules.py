"""The learning rate over a run, as a factor of the optimizer's: functions of the share of the run that is over.

Warm-ups, milestones and periods are shares of the run, so that a schedule means the same at 3 and at 300 epochs.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence


def _fraction(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be a fraction between 0 and 1, got {value}")
    return value


class Schedule(ABC):
    """A factor of the rate after a linear rise from `initial` over the share `warmup` of the run."""

    def __init__(self, warmup: float = 0.0, initial: float = 0.0) -> None:
        self.warmup, self.initial = _fraction("warmup", warmup), _fraction("initial", initial)

    def __call__(self, fraction: float) -> float:
        """The factor when `share` of the run, in [0, 1], is over."""
        if fraction < self.warmup:
            return self.initial + (1 - self.initial) * fraction / self.warmup
        return self.factor(fraction)

    @abstractmethod
    def factor(self, fraction: float) -> float:
        """The factor after the warm-up."""


class Constant(Schedule):
    def factor(self, fraction: float) -> float:
        return 1.0


class Step(Schedule):
    """Times `gamma` at the end of every `period`."""

    def __init__(self, period: float, gamma: float = 0.1, warmup: float = 0.0) -> None:
        super().__init__(warmup)
        if not 0 < period <= 1:
            raise ValueError(f"period must be a fraction above 0 and at most 1, got {period}")
        self.period, self.gamma = period, gamma

    def factor(self, fraction: float) -> float:
        return self.gamma ** math.floor(fraction / self.period + 1e-9)


class MultiStep(Schedule):
    """Times `gamma` at each of the `milestones`."""

    def __init__(self, milestones: Sequence[float], gamma: float = 0.1, warmup: float = 0.0) -> None:
        super().__init__(warmup)
        self.milestones, self.gamma = [_fraction("milestones", milestone) for milestone in milestones], gamma

    def factor(self, fraction: float) -> float:
        return self.gamma ** sum(fraction >= milestone for milestone in self.milestones)


class Cosine(Schedule):
    """Half a cosine from the end of the warm-up down to `final`: Loshchilov and Hutter, "SGDR", 2016, without restarts.

    With a long warm-up it is the one cycle of Smith and Topin, "Super-convergence", 2017, but for the momentum's.
    """

    def __init__(self, final: float = 0.0, warmup: float = 0.0, initial: float = 0.0) -> None:
        super().__init__(warmup, initial)
        self.final = _fraction("final", final)

    def factor(self, fraction: float) -> float:
        after = (fraction - self.warmup) / (1 - self.warmup) if self.warmup < 1 else 1.0
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * after)) / 2


class Linear(Schedule):
    """A straight line from the end of the warm-up down to `final`; with a warm-up it is a triangle."""

    def __init__(self, final: float = 0.0, warmup: float = 0.0, initial: float = 0.0) -> None:
        super().__init__(warmup, initial)
        self.final = _fraction("final", final)

    def factor(self, fraction: float) -> float:
        after = (fraction - self.warmup) / (1 - self.warmup) if self.warmup < 1 else 1.0
        return self.final + (1 - self.final) * (1 - after)


class Plateau:
    """Times `factor` when the monitored metric has not got better for more than `patience` epochs, as in PyTorch."""

    def __init__(self, factor: float = 0.1, patience: int = 3) -> None:
        if not 0 < factor < 1:
            raise ValueError(f"factor must be above 0 and below 1, got {factor}")
        self.factor, self.patience = factor, patience
