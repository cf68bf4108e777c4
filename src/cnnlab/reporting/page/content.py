"""The content of a page of one run or of many, as plain values: what the page shows, it takes from here."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from cnnlab.figures.group_curves import curve_of
from cnnlab.rendering.printable import printable
from cnnlab.reporting.conditions import text_of
from cnnlab.reporting.groups import Group, name_of, natural, seed_of, shared_choices
from cnnlab.reporting.page.run_facts import run_facts
from cnnlab.reporting.page.trained_facts import layer_facts, trained_facts
from cnnlab.reporting.pairs import compared
from cnnlab.reporting.records import KnownRun, Rows, read_rows

MOST_EVALUATED = 20  # runs whose networks are evaluated unless asked for
ALL_IMAGES = 1_800_000  # bytes that the images of a page take together
MOST_IMAGES = 700_000  # and those of one run
COMPARED_CURVES = ("val/acc", "val/loss", "train/acc", "train/loss")
MOST_PAIRED = 8  # groups that are compared in pairs


def content_of(
    groups: Sequence[Group],
    columns: Sequence[str],
    notes: Sequence[str],
    evaluate: bool | None,
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """The content of the page.

    Args:
        groups: in the order of the table.
        columns: the keys in which they differ.
        notes: lines about runs that are not on the page.
        evaluate: whether to evaluate the trained networks; None for up to MOST_EVALUATED runs.
        log: prints a line before each network is evaluated.
    """
    runs = [run for group in groups for run in sorted(group.runs, key=lambda run: natural(text_of(seed_of(run))))]
    if evaluate is None:
        evaluate = len(runs) <= MOST_EVALUATED
    measure = "test/acc" if any(group.mean("test/acc") is not None for group in groups) else "val/acc"
    return {
        "made": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        "measure": measure,
        "columns": list(columns),
        "shared": shared_choices(groups, columns),
        "notes": [printable(note) for note in notes],
        "groups": [_group(group, columns, runs) for group in groups],
        "pairs": _pairs(groups, columns, measure) if len(groups) <= MOST_PAIRED else None,
        **_runs(runs, evaluate, log),
    }


def title_of(runs: Sequence[KnownRun]) -> str:
    """The title of the page in a browser's window."""
    if len(runs) == 1:
        return f"{text_of(runs[0].values.get('model'))} on {text_of(runs[0].values.get('data'))}"
    return f"{len(runs)} runs"


def _runs(runs: Sequence[KnownRun], evaluate: bool, log: Callable[[str], None]) -> dict[str, Any]:
    """The runs, and the layers of each network once."""
    budget = min(MOST_IMAGES, ALL_IMAGES // max(1, len(runs)))
    layers: dict[str, Any] = {}
    shown = []
    for number, run in enumerate(runs, start=1):
        facts = run_facts(run)
        network = str(run.record.get("network"))
        if network not in layers:
            layers[network] = layer_facts(run)
        facts["layers"] = list(layers).index(network)
        trained: dict[str, Any] = {"evaluation": None, "filters": None, "maps": None, "notes": []}
        if evaluate and run.is_done:
            log(f"evaluating {run.values['run']} ({number} of {len(runs)})")
            trained = trained_facts(run, budget)
        elif run.is_done:
            trained["notes"] = ["The trained network was not evaluated; evaluate=true does it."]
        notes = [printable(note) for note in (*facts["notes"], *trained["notes"])]
        shown.append(facts | trained | {"notes": notes})
    return {"runs": shown, "layers": list(layers.values())}


def _group(group: Group, columns: Sequence[str], runs: Sequence[KnownRun]) -> dict[str, Any]:
    row = group.row(columns)
    several = [rows for run in group.done if (rows := _rows(run))]
    curves = {column: curve_of(several, column) for column in COMPARED_CURVES}
    return {
        "name": name_of(group, columns),
        "cells": ["" if row[column] is None else text_of(row[column]) for column in columns],
        "runs": [runs.index(run) for run in group.runs],
        "done": [runs.index(run) for run in group.done],
        "curves": {column: curve for column, curve in curves.items() if curve},
        "numbers": {key: value for key, value in row.items() if key not in columns},
    }


def _rows(run: KnownRun) -> Rows:
    """The epochs of a run; none if they cannot be read, which the run's own notes say."""
    try:
        return read_rows(run)
    except ValueError:
        return []


def _pairs(groups: Sequence[Group], columns: Sequence[str], measure: str) -> list[dict[str, Any]]:
    return [
        {
            "first": name_of(pair.first, columns),
            "second": name_of(pair.second, columns),
            "seeds": pair.seeds,
            "difference": pair.difference,
            "std": pair.std,
            "p": pair.p,
        }
        for pair in compared(groups, measure)
    ]
