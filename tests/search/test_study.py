"""Studies: each trial is a run, no trial is lost or repeated, and every result is reported."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
import torch
from optuna.trial import TrialState

from cnnlab.commands.tune import run as tune
from cnnlab.config.compose import compose
from cnnlab.errors import Terminated, UserError
from cnnlab.runs.run import train
from cnnlab.search.study import check_database
from cnnlab.training.classifier import ImageClassifier
from tests.conftest import REPOSITORY

QUICK = (
    "search=adamw", "optimizer=adamw", "trainer.max_epochs=2", "trainer.threads=1", "data.limit=64", "logger=none",
    "confirm_seeds=0",
)  # fmt: skip


@pytest.fixture
def search(places):
    """Runs a study in this process."""

    def run(*overrides: str) -> None:
        tune(compose("tune", [*overrides, *places]))

    return run


def trials_of(logs: Path) -> list[optuna.trial.FrozenTrial]:
    (database,) = logs.glob("studies/*/*/study.db")
    return optuna.load_study(study_name=database.parent.name, storage=f"sqlite:///{database}").trials


def records(logs: Path) -> dict[str, dict]:
    found = [json.loads(path.read_text()) for path in logs.glob("*/*/result.json")]
    return {record["run_id"]: record for record in found}


@pytest.mark.slow
def test_trials_are_runs_the_first_is_the_default_and_a_completed_study_trains_nothing(
    search, places, tmp_path, capsys
):
    search(*QUICK, "trials=4", "pruner=none")
    output = capsys.readouterr().out
    runs = records(tmp_path / "logs")
    assert len(runs) == 4
    default = train(compose("train", ["optimizer=adamw", *QUICK[2:6], *places]))
    assert default["run_id"] in runs  # and was not trained again, as its record shows:
    assert "test/acc" in default
    assert not any("test/acc" in run for run in runs.values())  # until its own command runs
    assert default["overrides"] == runs[default["run_id"]]["overrides"] == ["optimizer=adamw", *QUICK[2:6], *places]
    trials = trials_of(tmp_path / "logs")
    assert trials[0].value == default["val/acc"]
    for trial in trials[1:]:
        (run,) = (
            run for run in runs.values() if f"optimizer.lr={trial.params['optimizer.lr']:.4g}" in run["overrides"]
        )
        assert trial.value == run["val/acc"]
        assert train(compose("train", run["overrides"]))["run_id"] == run["run_id"]
    assert numbers_in(output) == ["0", "1", "2", "3"]
    best = max(runs.values(), key=lambda run: (run["val/acc"], -run["val/loss"]))
    assert shlex.join(["python", "src/train.py", *best["overrides"]]) in output
    capsys.readouterr()

    def never(self, batch, batch_idx):
        raise AssertionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageClassifier, "training_step", never)
        search(*QUICK, "trials=4", "pruner=none")
    again = capsys.readouterr().out
    assert again.splitlines()[-1] == output.splitlines()[-1]
    assert len(trials_of(tmp_path / "logs")) == 4


def numbers_in(output: str) -> list[str]:
    """Numbers of the trials that have a line; the table's heading also begins with `trial`."""
    return [line.split()[1] for line in output.splitlines() if line.startswith("trial ") and "val/acc" not in line]


@pytest.mark.slow
def test_a_continued_study_samples_what_an_uninterrupted_one_samples(search, tmp_path):
    search(*QUICK, "trials=2")
    search(*QUICK, "trials=4")
    continued = [trial.params for trial in trials_of(tmp_path / "logs")]
    search(*QUICK, "trials=4", f"log_dir={tmp_path / 'uninterrupted'}")
    assert len(continued) == 4
    assert [trial.params for trial in trials_of(tmp_path / "logs")] == continued


@pytest.mark.slow
def test_a_default_outside_the_space_is_still_the_first_trial(search, places, tmp_path, capsys):
    adam = [word for word in QUICK if word != "optimizer=adamw"]
    search(*adam, "trials=2")
    (first, second) = trials_of(tmp_path / "logs")
    assert set(first.params) == {"optimizer.lr", "optimizer.betas"}  # its weight_decay is 0
    assert set(second.params) == {"optimizer.lr", "optimizer.betas", "optimizer.weight_decay"}
    assert "optimizer.weight_decay=0.0 (the default recipe)" in capsys.readouterr().out
    assert train(compose("train", [*adam[1:5], *places]))["run_id"] in records(tmp_path / "logs")


def failing(monkeypatch, failures: dict[int, BaseException | float]) -> None:
    """Make the n-th run from now on raise an exception in its first step, or set its last weights to a number."""
    step = ImageClassifier.training_step
    seen: list[int] = []

    def steps(self, batch, batch_idx):
        if id(self) not in seen:
            seen.append(id(self))
            self.number = len(seen) - 1  # `alive` keeps the object, so that no other has its id
            alive.append(self)
        failure = failures.get(self.number)
        if isinstance(failure, BaseException):
            raise failure
        if failure is not None:
            torch.nn.init.constant_(self.net.f6.weight, failure)
        return step(self, batch, batch_idx)

    alive: list[ImageClassifier] = []
    monkeypatch.setattr(ImageClassifier, "training_step", steps)


def test_a_diverging_run_and_a_crashing_run_do_not_end_the_study(search, tmp_path, capsys, monkeypatch):
    failing(monkeypatch, {1: float("nan"), 2: RuntimeError("bad luck")})
    search(*QUICK, "trials=4")
    trials = trials_of(tmp_path / "logs")
    fail, complete = TrialState.FAIL, TrialState.COMPLETE
    assert [trial.state for trial in trials] == [complete, fail, fail, complete]
    output = capsys.readouterr().out
    assert ": the training loss is no longer finite in epoch 1" in output
    assert ": bad luck" in output
    assert "4 trials: 2 done, 2 failed" in output
    statuses = sorted(run["status"] for run in records(tmp_path / "logs").values())
    assert statuses == ["done", "done", "failed", "interrupted"]


def test_the_last_error_is_reported_if_every_trial_fails(search, monkeypatch):
    failing(monkeypatch, dict.fromkeys(range(2), RuntimeError("bad luck")))
    with pytest.raises(UserError, match="none of 2 trials completed; the last one failed: bad luck"):
        search(*QUICK, "trials=2")


@pytest.mark.slow
@pytest.mark.parametrize("end", [KeyboardInterrupt(), Terminated()], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_study_continues_with_the_interrupted_trial(end, search, tmp_path, capsys, monkeypatch):
    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        failing(patch, {1: end})
        with pytest.raises(type(end)):
            search(*QUICK, "trials=3")
    signal.signal(signal.SIGINT, handler)  # Lightning leaves it ignored
    assert "stopped; run the same command again to continue" in capsys.readouterr().out
    search(*QUICK, "trials=3")
    trials = trials_of(tmp_path / "logs")
    assert [trial.state.name for trial in trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert trials[2].params == trials[1].params
    assert "3 trials: 3 done" in capsys.readouterr().out


@pytest.mark.slow
def test_a_trial_that_another_process_considers_lost_does_not_end_the_study(search, tmp_path, capsys, monkeypatch):
    step = ImageClassifier.training_step

    def lose_trial(self, batch, batch_idx):
        (database,) = tmp_path.glob("logs/studies/*/*/study.db")
        study = optuna.load_study(study_name=database.parent.name, storage=f"sqlite:///{database}")
        if study.trials[-1].number == 1 and study.trials[-1].state == TrialState.RUNNING:
            study.tell(1, state=TrialState.FAIL)  # as another process does
        return step(self, batch, batch_idx)

    monkeypatch.setattr(ImageClassifier, "training_step", lose_trial)
    search(*QUICK, "trials=3")
    output = capsys.readouterr().out
    assert "trial   1  was considered lost" in output
    assert "3 trials: 2 done, 1 failed" in output


def test_mistakes_are_reported_before_the_first_trial(search, tmp_path):
    with pytest.raises(UserError, match="image_size must be at least 12 for LeNet-5, got 8"):
        search(*QUICK, "data.image_size=8")
    with pytest.raises(UserError, match="fresh=true would train a study's runs again"):
        search(*QUICK, "fresh=true")
    with pytest.raises(UserError, match="unknown key; optimizer has"):
        search("search=sgd", *QUICK[1:])
    with pytest.raises(UserError, match=r"a search's trials have one process each, got 2 \(trainer.devices x"):
        search(*QUICK, "trainer=ddp")
    with pytest.raises(UserError, match=r"trainer\.precision=16-mixed needs a GPU"):
        search(*QUICK, "trainer=cpu", "trainer.precision=16-mixed")
    with pytest.raises(UserError, match=r"trainer\.sync_batchnorm=true needs GPUs"):
        search(*QUICK, "trainer=cpu", "trainer.sync_batchnorm=true")
    with pytest.raises(UserError, match=r"trainer\.limit_train_batches=0\.1 of 2 batches is none"):
        search(*QUICK, "trainer.limit_train_batches=0.1")
    assert not list(tmp_path.iterdir())


def test_a_missing_optuna_is_reported_in_one_line():
    script = (
        "import runpy, sys; sys.path.insert(0, 'src'); sys.modules['optuna'] = None\n"
        "sys.argv = ['src/tune.py', 'search=adamw']\n"
        "runpy.run_path('src/tune.py', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 1
    assert done.stderr == "error: a search needs Optuna: pip install -e '.[search]'\n"


@pytest.fixture
def begin(places):
    """Start studies in subprocesses, which are killed after the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(*overrides: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "src/tune.py", *overrides, *places],
            cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ,
        )  # fmt: skip
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def wait_for(condition, seconds: float = 200) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.slow
def test_two_processes_share_the_trials_of_one_study(begin, tmp_path):
    arguments = [*QUICK, "trials=8", "trainer.max_epochs=8", "data.limit=200", "pruner=none"]
    processes = [begin(*arguments) for _ in range(2)]
    output = [process.communicate(timeout=280)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], output
    own = [numbers_in(text) for text in output]
    assert all(own)
    assert sorted(map(int, own[0] + own[1])) == list(range(8))
    assert all("8 trials: 8 done" in text for text in output)
    trials = trials_of(tmp_path / "logs")
    assert len({trial.params["optimizer.lr"] for trial in trials}) == 8


@pytest.mark.slow
@pytest.mark.parametrize("in_parallel", [False, True], ids=["started again", "beside another process"])
def test_no_trial_is_lost_when_a_process_is_killed(in_parallel, begin, tmp_path):
    arguments = [*QUICK, "trials=4", "trainer.max_epochs=12", "data.limit=200", "heartbeat=1", "pruner=none"]
    killed = begin(*arguments)
    logs = tmp_path / "logs"
    wait_for(lambda: len(records(logs)) == 2)
    wait_for(lambda: len(list(logs.glob("*/*/checkpoints/last.ckpt"))) == 2)  # the second trial's first epoch
    others = [begin(*arguments)] if in_parallel else []
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    (lost,) = (run for run, record in records(logs).items() if record["status"] == "running")
    others = others or [begin(*arguments)]
    output, _ = others[0].communicate(timeout=280)
    assert others[0].returncode == 0, output
    assert "4 trials: 4 done" in output
    runs = records(logs)
    assert len(runs) == 4
    assert {run["status"] for run in runs.values()} == {"done"}
    assert "resuming after epoch" in (logs / "lenet5-digits" / lost / "train.log").read_text()
    states = sorted(trial.state.name for trial in trials_of(logs))
    assert states == ["COMPLETE"] * 4 + ["FAIL"]


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\0" + b"x" * 8192])
def test_a_damaged_database_is_reported_with_what_to_do(content, tmp_path):
    (tmp_path / "study.db").write_bytes(content)
    with pytest.raises(UserError, match=r"study.db is damaged \(.*\); delete it and run the same command again"):
        check_database(tmp_path / "study.db")
    check_database(tmp_path / "missing.db")
