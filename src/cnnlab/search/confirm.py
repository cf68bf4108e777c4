"""Comparison of the best trial with the default recipe, on seeds that selected neither."""

from collections.abc import Callable, Sequence
from statistics import mean, stdev
from typing import Any

from cnnlab.config.schema import TuneConfig
from cnnlab.rendering.tables import render
from cnnlab.reporting.pairs import p_value
from cnnlab.runs.folder import Record
from cnnlab.training.classifier import mode_of

Train = Callable[[Sequence[str]], Record]


def confirm(cfg: TuneConfig, best: Sequence[str], default: Sequence[str], train: Train) -> tuple[str, dict[str, Any]]:
    """Train two command lines with `confirm_seeds` seeds each.

    The seeds differ from the study's, because the best trial was also lucky with its seed. The verdict uses the metric
    that selected the trial; the test accuracy is only reported.

    Args:
        best, default: command lines of the best trial and of the default recipe.
        train: returns the record of a command line.

    Returns:
        A table with the verdict as text, and the numbers.
    """
    seeds = [cfg.seed + 1 + i for i in range(cfg.confirm_seeds)]
    print(f"training the best trial and the default recipe again, with seeds {', '.join(map(str, seeds))}", flush=True)
    measures = list(dict.fromkeys((cfg.monitor, "test/acc")))
    records = {
        name: [_trained(overrides, seed, train) for seed in seeds]
        for name, overrides in (("best", best), ("default", default))
    }
    values = {
        name: {measure: [record[measure] for record in some if record and measure in record] for measure in measures}
        for name, some in records.items()
    }
    rows = [
        {"": name, **{measure: _mean(measure, some[measure]) for measure in measures}, "n": len(some[cfg.monitor])}
        for name, some in values.items()
    ]
    verdict = _verdict(cfg.monitor, len(seeds), values["best"][cfg.monitor], values["default"][cfg.monitor])
    return f"\n{render(rows, 'table', numbers=measures)}\n\n{verdict}", {"seeds": seeds, **values, "verdict": verdict}


def _trained(overrides: Sequence[str], seed: int, train: Train) -> Record | None:
    """The record of the run with `seed`; None if the run failed, after reporting the error."""
    try:
        return train([*(word for word in overrides if not word.startswith("seed=")), f"seed={seed}"])
    except Exception as error:
        print(f"seed {seed} failed: {error}", flush=True)
        return None


def _mean(measure: str, values: Sequence[float]) -> str:
    """Mean and sample standard deviation: a loss as a number, an accuracy in percent."""
    if not values:
        return ""
    scale, digits, unit = (1, 4, "") if measure.endswith("loss") else (100, 2, " %")
    spread = f" ± {scale * stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{scale * mean(values):.{digits}f}{spread}{unit}"


def _verdict(monitor: str, seeds: int, best: Sequence[float], default: Sequence[float]) -> str:
    """The comparison in one sentence."""
    if len(best) < seeds or len(default) < seeds:
        return "some runs failed, so the best trial is not confirmed to be better than the default recipe"
    gains = [a - b if mode_of(monitor) == "max" else b - a for a, b in zip(best, default, strict=True)]
    p = p_value(gains) if seeds > 1 else None
    gain = mean(gains)
    size = f"{abs(gain):.4f}" if monitor.endswith("loss") else f"{100 * abs(gain):.2f} points"
    by = f" by {size} of {monitor} on average" if gain else ""
    chance = f"; p of a paired t-test over {seeds} seeds: {p:.2g}" if p is not None else ""
    if gain > 0:
        return f"the best trial is better than the default recipe{by}{chance}"
    return f"the best trial is not better than the default recipe: it is {'worse' if by else 'equal'}{by}{chance}"
