"""The three figures of a study: its history, the importance of each key, and combinations of values."""

from collections.abc import Sequence
from pathlib import Path

import optuna

from cnnlab.figures.importance import draw_importance
from cnnlab.figures.parallel import Coordinate, choice_axis, draw_parallel, number_axis
from cnnlab.figures.search_history import draw_search_history
from cnnlab.search.outcomes import Outcome, in_order
from cnnlab.search.space import Choices, Range, Space
from cnnlab.training.classifier import mode_of

FEWEST = 10  # completed trials; importances of fewer are meaningless


def draw_study(
    study: optuna.Study, folder: Path, outcomes: Sequence[Outcome], space: Space, monitor: str
) -> list[Path]:
    """Draw the figures for which the study has enough trials; return their paths."""
    percent, rises = monitor.endswith("acc"), mode_of(monitor) == "max"
    scale, name = (100, f"{monitor}, %") if percent else (1, monitor)
    done = [trial for trial in outcomes if trial.state == "done" and trial.value is not None]
    values = [trial.value or 0.0 for trial in done]
    default = next((trial.value for trial in done if trial.is_default), None)
    points = {
        state: [
            (trial.number, scale * trial.value)
            for trial in outcomes
            if trial.state == state and trial.value is not None
        ]
        for state in ("done", "pruned")
    }
    failed = [trial.number for trial in outcomes if trial.state == "failed"]
    line = None if default is None else scale * default
    history = folder / "history.png"
    paths = [draw_search_history(points["done"], points["pruned"], failed, line, rises, name, history)]
    if len(values) >= FEWEST and len(set(values)) > 1:
        fractions = optuna.importance.get_param_importances(study)
        paths.append(draw_importance(fractions, folder / "importance.png"))
    if len(values) > 1:
        # The best trial of the table is last, so that it is drawn on top of equal ones.
        ended = [*(trial for trial in outcomes if trial.state == "pruned"), *reversed(in_order(outcomes, monitor))]
        lines = [trial.value if trial.state == "done" else None for trial in ended]
        coordinates = {key: _coordinate(dimension, key, ended) for key, dimension in space.items()}
        paths.append(draw_parallel(coordinates, lines, rises, percent, monitor, folder / "parallel.png"))
    return paths


def _coordinate(dimension: Range | Choices, key: str, trials: Sequence[Outcome]) -> Coordinate:
    typed = [trial.parameters.get(key) for trial in trials]
    if isinstance(dimension, Choices):
        return choice_axis(dimension.values, typed)
    return number_axis(dimension.low, dimension.high, dimension.log, [_number(text) for text in typed])


def _number(text: str | None) -> float | None:
    return None if text in (None, "null") else float(text)
