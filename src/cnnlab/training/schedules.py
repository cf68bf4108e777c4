"""Learning-rate schedules: a factor of the optimizer's learning rate as a function of progress.

Progress, warm-ups, milestones and periods are fractions of the run, so a schedule has the same shape for 3 and for 300
epochs.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

from cnnlab.limits import Fraction, FractionAbove0, FractionInside, Natural, NonNegative, checked


class Schedule(ABC):
    """A linear warm-up from `initial` to 1 over the fraction `warmup` of the run, then `factor`."""

    @checked
    def __init__(self, warmup: Fraction = 0.0, initial: Fraction = 0.0) -> None:
        self.warmup, self.initial = warmup, initial

    def __call__(self, progress: float) -> float:
        """Return the factor at `progress`, which is in [0, 1]."""
        if progress < self.warmup:
            return self.initial + (1 - self.initial) * progress / self.warmup
        return self.factor(progress)

    @abstractmethod
    def factor(self, progress: float) -> float:
        """Return the factor at `progress`, after the warm-up."""


class Constant(Schedule):
    """A factor of 1."""

    def factor(self, progress: float) -> float:
        return 1.0


class Step(Schedule):
    """Multiply the learning rate by `gamma` at the end of every `period`."""

    @checked
    def __init__(self, period: FractionAbove0, gamma: NonNegative = 0.1, warmup: Fraction = 0.0) -> None:
        super().__init__(warmup)
        self.period, self.gamma = period, gamma

    def factor(self, progress: float) -> float:
        return self.gamma ** math.floor(progress / self.period + 1e-9)


class MultiStep(Schedule):
    """Multiply the learning rate by `gamma` at each of the `milestones`."""

    @checked
    def __init__(self, milestones: Sequence[Fraction], gamma: NonNegative = 0.1, warmup: Fraction = 0.0) -> None:
        super().__init__(warmup)
        self.milestones, self.gamma = list(milestones), gamma

    def factor(self, progress: float) -> float:
        return self.gamma ** sum(progress >= milestone for milestone in self.milestones)


class Linear(Schedule):
    """Decay linearly to `final` after the warm-up. With a warm-up, the schedule is a triangle."""

    @checked
    def __init__(self, final: Fraction = 0.0, warmup: Fraction = 0.0, initial: Fraction = 0.0) -> None:
        super().__init__(warmup, initial)
        self.final = final

    def factor(self, progress: float) -> float:
        return self.final + (1 - self.final) * (1 - self.after_warmup(progress))

    def after_warmup(self, progress: float) -> float:
        """Return the progress since the end of the warm-up, in [0, 1]."""
        return (progress - self.warmup) / (1 - self.warmup) if self.warmup < 1 else 1.0


class Cosine(Linear):
    """Decay along half a cosine to `final` after the warm-up: Loshchilov and Hutter, "SGDR", 2016, without restarts.

    With a long warm-up, this is the one-cycle schedule of Smith and Topin, "Super-convergence", 2017.
    """

    def factor(self, progress: float) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * self.after_warmup(progress))) / 2


class Plateau:
    """Multiply the learning rate by `factor` if the metric has not improved for more than `patience` epochs.

    It holds the arguments of the `torch.optim.lr_scheduler.ReduceLROnPlateau` that `ImageClassifier` creates.
    """

    @checked
    def __init__(self, factor: FractionInside = 0.1, patience: Natural = 3) -> None:
        self.factor, self.patience = factor, patience
