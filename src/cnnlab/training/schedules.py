"""Learning-rate schedules: the factor of the optimizer's learning rate as a function of the progress of the run.

Progress, warm-ups, milestones and periods are fractions of the run: a schedule means the same for 3 and 300 epochs.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence


def _fraction(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be a fraction between 0 and 1, got {value}")
    return value


class Schedule(ABC):
    """A factor of the learning rate, after a linear warm-up from `initial` over the fraction `warmup` of the run."""

    def __init__(self, warmup: float = 0.0, initial: float = 0.0) -> None:
        self.warmup, self.initial = _fraction("warmup", warmup), _fraction("initial", initial)

    def __call__(self, progress: float) -> float:
        """The factor at `progress`, in [0, 1]."""
        if progress < self.warmup:
            return self.initial + (1 - self.initial) * progress / self.warmup
        return self.factor(progress)

    @abstractmethod
    def factor(self, progress: float) -> float:
        """The factor after the warm-up."""


class Constant(Schedule):
    def factor(self, progress: float) -> float:
        return 1.0


class Step(Schedule):
    """Multiplied by `gamma` at the end of every `period`."""

    def __init__(self, period: float, gamma: float = 0.1, warmup: float = 0.0) -> None:
        super().__init__(warmup)
        if not 0 < period <= 1:
            raise ValueError(f"period must be a fraction above 0 and at most 1, got {period}")
        self.period, self.gamma = period, gamma

    def factor(self, progress: float) -> float:
        return self.gamma ** math.floor(progress / self.period + 1e-9)


class MultiStep(Schedule):
    """Multiplied by `gamma` at each of the `milestones`."""

    def __init__(self, milestones: Sequence[float], gamma: float = 0.1, warmup: float = 0.0) -> None:
        super().__init__(warmup)
        self.milestones, self.gamma = [_fraction("milestones", milestone) for milestone in milestones], gamma

    def factor(self, progress: float) -> float:
        return self.gamma ** sum(progress >= milestone for milestone in self.milestones)


class Linear(Schedule):
    """A straight line from the end of the warm-up down to `final`; with a warm-up it is a triangle."""

    def __init__(self, final: float = 0.0, warmup: float = 0.0, initial: float = 0.0) -> None:
        super().__init__(warmup, initial)
        self.final = _fraction("final", final)

    def factor(self, progress: float) -> float:
        return self.final + (1 - self.final) * (1 - self.after_warmup(progress))

    def after_warmup(self, progress: float) -> float:
        """The fraction of the run after the warm-up that is over."""
        return (progress - self.warmup) / (1 - self.warmup) if self.warmup < 1 else 1.0


class Cosine(Linear):
    """Half a cosine from the end of the warm-up down to `final`: Loshchilov and Hutter, "SGDR", 2016, without restarts.

    With a long warm-up it is the one-cycle schedule of Smith and Topin, "Super-convergence", 2017.
    """

    def factor(self, progress: float) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * self.after_warmup(progress))) / 2


class Plateau:
    """Multiplied by `factor` after more than `patience` epochs in which the monitored metric has not improved."""

    def __init__(self, factor: float = 0.1, patience: int = 3) -> None:
        if not 0 < factor < 1:
            raise ValueError(f"factor must be above 0 and below 1, got {factor}")
        self.factor, self.patience = factor, patience
