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
    done, pruned = (
        [(trial.number, scale * trial.value) for trial in outcomes if trial.state == state and trial.value is not None]
        for state in ("done", "pruned")
    )
    failed = [trial.number for trial in outcomes if trial.state == "failed"]
    values = dict(done)
    default = next((values[trial.number] for trial in outcomes if trial.is_default and trial.number in values), None)
    paths = [draw_search_history(done, pruned, failed, default, rises, name, folder / "history.png")]
    if len(values) >= FEWEST and len(set(values.values())) > 1:
        paths.append(draw_importance(optuna.importance.get_param_importances(study), folder / "importance.png"))
    if len(values) > 1:
        # The best trial of the table is last, so that it is drawn on top of equal ones.
        shown = [*(trial for trial in outcomes if trial.state == "pruned"), *reversed(in_order(outcomes, monitor))]
        lines = [trial.value if trial.state == "done" else None for trial in shown]
        coordinates = {key: _coordinate(dimension, key, shown) for key, dimension in space.items()}
        paths.append(draw_parallel(coordinates, lines, rises, percent, monitor, folder / "parallel.png"))
    return paths


def _coordinate(dimension: Range | Choices, key: str, trials: Sequence[Outcome]) -> Coordinate:
    texts = [trial.parameters.get(key, "null") for trial in trials]
    if isinstance(dimension, Choices):
        return choice_axis(dimension.values, texts)
    numbers = [None if text == "null" else float(text) for text in texts]
    return number_axis(dimension.low, dimension.high, dimension.log, numbers)
