"""The best trial compared with the default recipe, on seeds that chose neither."""

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
    """Train two command lines with `confirm_seeds` seeds each; return a table with the verdict, and the numbers.

    The seeds follow that of the study, as the best trial was also chosen for its luck. The validation images chose the
    trial, so the test accuracy is reported beside them; it decides nothing.
    """
    seeds = [cfg.seed + 1 + i for i in range(cfg.confirm_seeds)]
    print(f"training the best and the default again, with seeds {', '.join(map(str, seeds))}", flush=True)
    measures = list(dict.fromkeys((cfg.monitor, "test/acc")))
    records = {
        name: [_trained(overrides, seed, train) for seed in seeds]
        for name, overrides in (("best", best), ("default", default))
    }
    values = {
        name: {measure: [record[measure] for record in of_name if record and measure in record] for measure in measures}
        for name, of_name in records.items()
    }
    rows = [
        {
            "": name,
            **{measure: _mean(measure, of_name[measure]) for measure in measures},
            "n": len(of_name[cfg.monitor]),
        }
        for name, of_name in values.items()
    ]
    verdict = _verdict(cfg.monitor, len(seeds), values["best"][cfg.monitor], values["default"][cfg.monitor])
    return f"\n{render(rows, 'table', numbers=measures)}\n\n{verdict}", {"seeds": seeds, **values, "verdict": verdict}


def _trained(overrides: Sequence[str], seed: int, train: Train) -> Record | None:
    """The record, or None if the run failed, which is reported."""
    try:
        return train([*(word for word in overrides if not word.startswith("seed=")), f"seed={seed}"])
    except Exception as error:
        print(f"seed {seed} failed: {error}", flush=True)
        return None


def _mean(measure: str, values: Sequence[float]) -> str:
    if not values:
        return ""
    scale, digits = (1, 4) if measure.endswith("loss") else (100, 2)
    spread = f" ± {scale * stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{scale * mean(values):.{digits}f}{spread}{' %' if scale == 100 else ''}"


def _verdict(monitor: str, seeds: int, best: Sequence[float], default: Sequence[float]) -> str:
    """The comparison in one sentence."""
    if len(best) < seeds or len(default) < seeds:
        return "not every seed was completed, so the best is not shown to be better than the default recipe"
    gains = [a - b if mode_of(monitor) == "max" else b - a for a, b in zip(best, default, strict=True)]
    p = p_value(gains) if seeds > 1 else None
    gain = abs(mean(gains))
    size = f"{gain:.4f}" if monitor.endswith("loss") else f"{100 * gain:.2f} points"
    told = f" by {size} of {monitor} on average" if gain else ""
    chance = f"; p of a paired t-test over {seeds} seeds: {p:.2g}" if p is not None else ""
    if mean(gains) > 0:
        return f"the best is better than the default recipe{told}{chance}"
    return f"the best is not better than the default recipe: it is {'worse' if told else 'equal'}{told}{chance}"
