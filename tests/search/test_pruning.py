"""Pruning: the values reported to the trial, and the record of a pruned run."""

import csv

import optuna
import pytest
from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner, ThresholdPruner

from cnnlab.reporting.records import collect
from cnnlab.runs.folder import RunFolder
from cnnlab.runs.run import train
from cnnlab.search.pruning import Pruning, make_pruner
from tests.runs.test_run import folder_of


@pytest.fixture
def configure(configure):
    return lambda *overrides: configure("trainer.max_epochs=3", "data.limit=64", "logger=none", *overrides)


def ask(pruner: optuna.pruners.BasePruner) -> optuna.Trial:
    return optuna.create_study(direction="maximize", pruner=pruner).ask()


def reported(trial: optuna.Trial) -> dict[int, float]:
    return trial.study.trials[trial.number].intermediate_values


ALWAYS = ThresholdPruner(lower=2.0, n_warmup_steps=2)  # prunes after epoch 2, because no accuracy is that high


def test_a_pruned_run_is_recorded_and_can_be_completed(configure, tmp_path):
    cfg = configure()
    trial = ask(ALWAYS)
    record = train(cfg, Pruning(trial, "val/acc"))
    assert record["status"] == "pruned"
    assert record["epochs"] == 2
    assert "test/acc" not in record
    folder = folder_of(cfg, record)
    assert RunFolder(folder).read() == record
    assert "pruned after epoch 2 of 3: val/acc is behind that of other trials" in (folder / "train.log").read_text()
    with (folder / "metrics.csv").open() as file:
        accuracies = {int(row["epoch"]): float(row["val/acc"]) for row in csv.DictReader(file)}
    assert reported(trial) == pytest.approx(accuracies)
    assert record["val/acc"] == pytest.approx(max(accuracies.values()))
    ((run,), skipped) = collect(tmp_path / "logs")
    assert not skipped
    assert not run.is_done
    again = ask(NopPruner())
    completed = train(cfg, Pruning(again, "val/acc"))
    assert (completed["status"], completed["epochs"], len(reported(again))) == ("done", 3, 3)
    uninterrupted = train(configure("name=uninterrupted"))
    assert (completed["run_id"], completed["test/loss"]) == (uninterrupted["run_id"], uninterrupted["test/loss"])


def test_the_default_recipe_is_not_pruned(configure):
    trial = ask(ALWAYS)
    assert train(configure(), Pruning(trial, "val/acc", may_prune=False))["status"] == "done"
    assert len(reported(trial)) == 3


def test_a_run_is_not_pruned_after_its_last_epoch(configure):
    trial = ask(ThresholdPruner(lower=2.0, n_warmup_steps=3))
    assert train(configure(), Pruning(trial, "val/loss"))["status"] == "done"
    assert len(reported(trial)) == 3


def decisions(name: str, others: list[list[float]], values: list[float]) -> list[bool]:
    """Whether the pruner ends a trial after each of 8 epochs; `others` are the values of earlier trials."""
    study = optuna.create_study(direction="maximize", pruner=make_pruner(name, after=0.25, epochs=8))
    for other in others:
        trial = study.ask()
        for epoch, value in enumerate(other, start=1):
            trial.report(value, epoch)
            trial.should_prune()
        study.tell(trial, other[-1])
    trial = study.ask()
    pruned = []
    for epoch, value in enumerate(values, start=1):
        trial.report(value, epoch)
        pruned.append(trial.should_prune())
    return pruned


GOOD = [0.5, 0.6, 0.7, 0.8, 0.9, 0.9, 0.9, 0.9]
BAD = [0.1] * 8


def test_each_pruner_ends_trials_that_fall_behind_after_their_first_epochs():
    assert decisions("median", [GOOD] * 5, BAD) == [False, True, True, True, True, True, True, True]
    assert not any(decisions("median", [GOOD] * 5, [value + 0.05 for value in GOOD]))
    halving = decisions("halving", [GOOD] * 5, BAD)
    assert halving[:2] == [False, True]
    assert not any(decisions("none", [GOOD] * 5, BAD))
    kinds = {name: type(make_pruner(name, 0.25, 8)) for name in ("median", "halving", "none")}
    assert kinds == {"median": MedianPruner, "halving": SuccessiveHalvingPruner, "none": NopPruner}
