"""The results of a study: one line per trial, the best trials, and the best compared with the default recipe."""

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.config.schema import TuneConfig
from cnnlab.errors import UserError
from cnnlab.files import write_atomically
from cnnlab.rendering.numbers import duration
from cnnlab.rendering.tables import aligned, render
from cnnlab.search.confirm import Train, confirm
from cnnlab.training.classifier import mode_of

SHOWN = 10  # trials in the table of the best


@dataclass(frozen=True)
class Outcome:
    """A trial that has ended.

    Attributes:
        state: done, pruned or failed.
        value: of the monitored metric; of a pruned trial, that of its last epoch.
        loss: the validation loss of its best epoch.
        parameters: as they are typed, by key of the configuration.
        overrides: the command line of its run.
        error: what it failed with.
    """

    number: int
    state: str
    value: float | None
    loss: float | None
    parameters: Mapping[str, str]
    overrides: Sequence[str]
    is_default: bool
    seconds: float
    error: str


def in_order(outcomes: Sequence[Outcome], monitor: str) -> list[Outcome]:
    """The complete trials, best first; the loss decides between equal accuracies, then the number."""
    sign = 1 if mode_of(monitor) == "min" else -1
    done = [trial for trial in outcomes if trial.state == "done"]
    return sorted(done, key=lambda trial: (sign * (trial.value or 0.0), trial.loss or 0.0, trial.number))


def metric(value: float | None, monitor: str) -> str:
    """An accuracy in percent, a loss as a number."""
    if value is None:
        return ""
    return f"{value:.4f}" if monitor.endswith("loss") else f"{100 * value:.2f} %"


def line_of(trial: Outcome, outcomes: Sequence[Outcome], monitor: str) -> str:
    """The line of one trial."""
    drawn = " ".join(f"{key}={value}" for key, value in trial.parameters.items())
    ends = [" (the default recipe)"] * trial.is_default + [f": {trial.error}"] * (trial.state == "failed")
    best = "".join(f"best {metric(t.value, monitor)} of trial {t.number}  " for t in in_order(outcomes, monitor)[:1])
    return f"trial {trial.number:>3}  {trial.state:<6}  {metric(trial.value, monitor):>8}  {best}{drawn}{''.join(ends)}"


def end(cfg: TuneConfig, folder: Path, outcomes: Sequence[Outcome], train: Train) -> None:
    """Print the results, and whether the best trial beats the default recipe when both are trained again.

    Args:
        train: returns the record of a command line.

    Raises:
        UserError: no trial was completed.
    """
    ordered = in_order(outcomes, cfg.monitor)
    if not ordered:
        raise UserError(f"none of {len(outcomes)} trials was completed; the last one failed: {outcomes[-1].error}")
    best, default = ordered[0], next((trial for trial in ordered if trial.is_default), None)
    command = shlex.join(["python", "src/train.py", *best.overrides])
    rows = [
        ("best", f"trial {best.number}, {cfg.monitor} {metric(best.value, cfg.monitor)}"),
        ("default", f"{cfg.monitor} {metric(default.value, cfg.monitor)}" if default else "not completed"),
        ("command", command),
    ]
    print(f"\n{_counts(outcomes)}\n\n{_table(ordered[:SHOWN], cfg.monitor)}\n\n{aligned(rows)}\n", flush=True)
    result: dict[str, Any] = {
        "monitor": cfg.monitor,
        "states": Counter(trial.state for trial in outcomes),
        "seconds": sum(trial.seconds for trial in outcomes),
        "command": command,
        "best": best.value,
        "default": default.value if default else None,
    }
    if best.is_default:
        print("no trial is better than the default recipe")
    elif default is None:
        print("the default recipe was not completed, so there is nothing to hold the best against")
    elif cfg.confirm_seeds:
        told, result["confirmed"] = confirm(cfg, best.overrides, default.overrides, train)
        print(told)
    write_atomically(folder / "study.json", json.dumps(result, indent=2) + "\n")


def _counts(outcomes: Sequence[Outcome]) -> str:
    counts = Counter(trial.state for trial in outcomes)
    states = ", ".join(f"{counts[state]} {state}" for state in ("done", "pruned", "failed") if counts[state])
    return f"{len(outcomes)} trials: {states}; {duration(sum(trial.seconds for trial in outcomes))} in all"


def _table(trials: Sequence[Outcome], monitor: str) -> str:
    rows = [
        {
            "trial": str(trial.number),
            monitor: metric(trial.value, monitor),
            **trial.parameters,
            "": "default" if trial.is_default else "",
        }
        for trial in trials
    ]
    return render(rows, "table", numbers={"trial", monitor, *trials[0].parameters})
