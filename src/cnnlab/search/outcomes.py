"""Results of a study: one line per trial, the best trials, and the best compared with the default recipe."""

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
    """A finished trial.

    Attributes:
        state: done, pruned or failed.
        value: the monitored metric; for a pruned trial, in its last epoch.
        loss: the validation loss of the best epoch.
        parameters: values as typed on the command line, by configuration key.
        overrides: the command line of its run.
        error: why it failed.
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
    """The completed trials, best first; ties are broken by the loss, then by the number."""
    sign = 1 if mode_of(monitor) == "min" else -1
    done = [trial for trial in outcomes if trial.state == "done"]
    return sorted(done, key=lambda trial: (sign * (trial.value or 0.0), trial.loss or 0.0, trial.number))


def metric(value: float | None, monitor: str) -> str:
    """`value` of the metric `monitor`: an accuracy in percent, a loss as a number."""
    if value is None:
        return ""
    return f"{value:.4f}" if monitor.endswith("loss") else f"{100 * value:.2f} %"


def line_of(trial: Outcome, outcomes: Sequence[Outcome], monitor: str) -> str:
    """The line of one trial, with the best of `outcomes` so far."""
    parameters = " ".join(f"{key}={value}" for key, value in trial.parameters.items())
    end = " (the default recipe)" if trial.is_default else ""
    end += f": {trial.error}" if trial.state == "failed" else ""
    best = "".join(f"best {metric(t.value, monitor)} in trial {t.number}  " for t in in_order(outcomes, monitor)[:1])
    return f"trial {trial.number:>3}  {trial.state:<6}  {metric(trial.value, monitor):>8}  {best}{parameters}{end}"


def end(cfg: TuneConfig, folder: Path, outcomes: Sequence[Outcome], train: Train) -> None:
    """Print the results, train the best trial and the default recipe again to compare them, and write study.json.

    Args:
        train: returns the record of a command line.

    Raises:
        UserError: no trial was completed.
    """
    ordered = in_order(outcomes, cfg.monitor)
    if not ordered:
        raise UserError(f"none of {len(outcomes)} trials completed; the last one failed: {outcomes[-1].error}")
    best, default = ordered[0], next((trial for trial in ordered if trial.is_default), None)
    command = shlex.join(["python", "src/train.py", *best.overrides])
    rows = [
        ("best", f"trial {best.number}, {cfg.monitor} {metric(best.value, cfg.monitor)}"),
        ("default", f"{cfg.monitor} {metric(default.value, cfg.monitor)}" if default else "not completed"),
        ("command", command),
    ]
    states, seconds = Counter(trial.state for trial in outcomes), sum(trial.seconds for trial in outcomes)
    counts = ", ".join(f"{states[state]} {state}" for state in ("done", "pruned", "failed") if states[state])
    summary = f"{len(outcomes)} trials: {counts}; {duration(seconds)} in total"
    print(f"\n{summary}\n\n{_table(ordered[:SHOWN], cfg.monitor)}\n\n{aligned(rows)}\n", flush=True)
    result: dict[str, Any] = {
        "monitor": cfg.monitor,
        "states": states,
        "seconds": seconds,
        "command": command,
        "best": best.value,
        "default": default.value if default else None,
    }
    if best.is_default:
        print("no trial is better than the default recipe")
    elif default is None:
        print("the default recipe did not complete, so the best trial cannot be compared with it")
    elif cfg.confirm_seeds:
        text, result["confirmed"] = confirm(cfg, best.overrides, default.overrides, train)
        print(text)
    write_atomically(folder / "study.json", json.dumps(result, indent=2) + "\n")


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
