"""Sweeps: every job has a row in the table, and completed jobs are not run again."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time

import pytest

from cnnlab.cli.sweep import Job, Sweep, table_of
from tests.conftest import REPOSITORY
from tests.runs.test_signals import LONG, TrainingProcess

QUICK = ("-m", "trainer=smoke", "logger=none", "data.batch_size=20")


def table_in(text: str) -> list[list[str]]:
    """The words of each row of the last printed table."""
    lines = text.splitlines()
    last = max(i for i, line in enumerate(lines) if line.split()[:3] == ["job", "arguments", "status"])
    return [line.split() for line in lines[last + 2 : lines.index("", last)]]  # below the header and its rule


def records(logs) -> dict[int, dict]:
    return {r["seed"]: r for r in (json.loads(path.read_text()) for path in logs.glob("*/*/result.json"))}


def test_a_failed_job_has_a_row_and_the_others_run(command, tmp_path):
    done = command("src/train.py", *QUICK, "seed=0,-1,2")
    assert done.returncode == 1
    rows = table_in(done.stdout)
    assert [row[2] for row in rows] == ["done", "failed", "done"]
    assert rows[1] == "1 seed=-1 failed seed must be a whole number from 0 to 4294967295, got -1".split()
    assert float(rows[0][4]) == pytest.approx(100 * records(tmp_path / "logs")[0]["test/acc"], abs=0.01)
    assert "sweep: 2 done, 1 failed\n" in done.stdout
    (table,) = (tmp_path / "logs" / "sweeps").glob("*/table.txt")
    assert table.read_text().strip() in done.stdout


@pytest.mark.slow
def test_on_failure_stop_starts_no_further_job(command):
    done = command("src/train.py", *QUICK, "seed=0,-1,2", "on_failure=stop")
    assert done.returncode == 1
    assert [row[2] for row in table_in(done.stdout)] == ["done", "failed", "skipped"]


LOST_AT_SEED_1 = """
import sys
sys.path.insert(0, "src")
from cnnlab.cli.main import main
from cnnlab.commands import train
from cnnlab.errors import Lost

def run(cfg):
    if cfg.seed == 1:
        raise Lost("the process of rank 0 was ended by SIGTERM")

train.run = run
main("train")
"""


@pytest.mark.slow
def test_a_job_killed_from_outside_is_interrupted_and_the_others_run(command):
    done = command("-c", LOST_AT_SEED_1, *QUICK, "seed=0,1,2", "on_failure=stop")
    assert done.returncode == 1
    rows = [" ".join(row) for row in table_in(done.stdout)]
    assert rows == ["0 seed=0 done", "1 seed=1 interrupted the process of rank 0 was ended by SIGTERM", "2 seed=2 done"]


@pytest.mark.slow
def test_repeating_a_sweep_trains_nothing_and_parallel_workers_find_the_same_runs(command, tmp_path):
    first = command("src/train.py", *QUICK, "seed=0,1", "trainer.threads=1")
    assert first.returncode == 0, first.stderr
    before = records(tmp_path / "logs")
    again = command("src/train.py", *QUICK, "seed=0,1,2", "trainer.threads=1", "hydra/launcher=joblib")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("this run is already complete") == 2
    after = records(tmp_path / "logs")
    assert {seed: after[seed] for seed in before} == before
    assert [row[2] for row in table_in(again.stdout)] == ["done"] * 3


@pytest.mark.slow
def test_a_killed_sweep_resumes_with_the_remaining_jobs(command, tmp_path, data_root):
    arguments = (*QUICK, "trainer.threads=1", f"seed={','.join(map(str, range(12)))}")
    uninterrupted = command("src/train.py", *arguments)
    assert uninterrupted.returncode == 0, uninterrupted.stderr
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "src/train.py", *arguments, f"log_dir={killed}"],
        cwd=REPOSITORY, env=os.environ | {"CNNLAB_DATA": str(data_root)}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    while sum(r["status"] == "done" for r in records(killed).values()) < 4:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    completed = [seed for seed, record in records(killed).items() if record["status"] == "done"]
    assert 4 <= len(completed) < 12
    resumed = command("src/train.py", *arguments, f"log_dir={killed}", logs=False)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout.count("this run is already complete") == len(completed)
    results = [{s: (r["val/loss"], r["test/acc"]) for s, r in records(p).items()} for p in (tmp_path / "logs", killed)]
    assert results[0] == results[1]
    assert len(results[0]) == 12


def test_a_job_whose_process_died_is_lost_and_the_progress_counts_all_jobs(tmp_path):
    sweep = Sweep(tmp_path)
    sweep.begin(total=4)
    sweep.write(Job(0, "seed=0", status="done", accuracies=(0.5, 0.25), seconds=90.0))
    sweep.write(Job(1, "seed=1"))
    assert sweep.progress().startswith("sweep: 1 done, 1 running, 2 remaining, ")
    assert not sweep.is_complete()
    assert table_in(f"{sweep.end()}\n\n") == [
        ["0", "seed=0", "done", "50.00", "25.00", "1.5", "min"],
        ["1", "seed=1", "lost"],
        ["2", "more", "were", "not", "started"],
    ]
    Sweep(tmp_path).begin(total=1)
    assert not sweep.jobs()


def test_the_table_omits_arguments_that_all_jobs_share():
    jobs = [Job(i, f"model=mlp seed={i}", status="done") for i in range(2)]
    assert "model=mlp" not in table_of(jobs)
    assert "model=mlp" in table_of(jobs[:1])


BREAKS_AT_SEED_2 = """
import runpy, sys
sys.path.insert(0, "src")
from cnnlab.training.classifier import ImageClassifier
step = ImageClassifier.training_step
def breaks(self, batch, batch_idx):
    if self.seed == 2:
        raise RuntimeError("the machine is on fire")
    return step(self, batch, batch_idx)
ImageClassifier.training_step = breaks
runpy.run_path("src/train.py", run_name="__main__")
"""


@pytest.mark.slow
def test_jobs_that_diverge_raise_or_are_invalid_have_a_clear_row_and_only_they_are_retried(command, tmp_path):
    jobs = (
        "model=mlp",
        "optimizer.lr=0.002,1e30",
        "seed=0,2,-1",
        "trainer.max_epochs=1",
        "logger=none",
        "data.limit=128",
    )
    done = command("-c", BREAKS_AT_SEED_2, "-m", *jobs)
    assert done.returncode == 1
    rows = [" ".join(row) for row in table_in(done.stdout)]
    assert re.fullmatch(r"0 optimizer.lr=0.002 seed=0 done .*", rows[0])
    fire = "failed RuntimeError: the machine is on fire"
    mistake = "failed seed must be a whole number from 0 to 4294967295, got -1"
    assert rows[1:3] == [f"1 optimizer.lr=0.002 seed=2 {fire}", f"2 optimizer.lr=0.002 seed=-1 {mistake}"]
    assert rows[3].startswith("3 optimizer.lr=1e+30 seed=0 failed the training loss is no longer finite in epoch 1")
    assert rows[4:] == [f"4 optimizer.lr=1e+30 seed=2 {fire}", f"5 optimizer.lr=1e+30 seed=-1 {mistake}"]
    assert done.stderr.count("Traceback") == 2  # only for the unexpected errors

    (finished,) = [path for path in (tmp_path / "logs").glob("*/*/result.json") if '"done"' in path.read_text()]
    written = (finished.parent / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    again = command("src/train.py", "-m", *jobs, "retry=true")
    assert [row[3] for row in table_in(again.stdout)] == ["done", "done", "failed", "failed", "failed", "failed"]
    assert again.stdout.count("this run is already complete") == 1
    assert again.stdout.count("this run was started before") == 3
    assert (finished.parent / "checkpoints" / "last.ckpt").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("model=lenet5,resnet81",), "error: unknown choice model=resnet81; model is one of: "),
        (("seed=0,1", "hydra/launcher=nonsense"), "error: unknown choice hydra/launcher=nonsense; joblib, ray, "),
    ],
)
def test_an_unknown_choice_is_reported_before_the_first_job(arguments, error, command, tmp_path):
    done = command("src/train.py", "-m", *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(error)
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("result.json"))


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"])
def test_an_interrupted_sweep_prints_its_table_and_resumes(number, status, launcher, command, tmp_path, data_root):
    parallel = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2") if launcher == "joblib" else ()
    sweep = ("-m", *LONG, "seed=0,1,2", *parallel)
    ended, out, err = TrainingProcess(tmp_path / "logs", data_root, *sweep).end(number)
    assert ended == status
    assert "Traceback" not in err
    rows = table_in(out)
    assert rows[0][-1] == "interrupted"
    assert rows[-1][-2:] == ["not", "started"]
    done = command("src/train.py", *sweep)
    assert done.returncode == 0, done.stderr
    assert "resuming after epoch " in done.stdout
    assert [row[2] for row in table_in(done.stdout)] == ["done"] * 3


@pytest.mark.slow
def test_jobs_in_one_process_import_only_once(command):
    """Measured in CPU time, which other load hardly changes. The imports are most of the cost of a tiny job."""

    def cost(*commands: tuple[str, ...]) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for arguments in commands:
            done = command("src/train.py", *arguments)
            assert done.returncode == 0, done.stderr
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    single = cost(*[(*QUICK[1:], f"seed={seed}") for seed in range(4)])
    assert cost((*QUICK, "seed=4,5,6,7")) < 0.6 * single


@pytest.mark.parametrize("damage", [b"\xb7", b"{}", b'{"jobs": "', b'{"jobs": null, "began": 0}'])
def test_a_damaged_file_of_a_sweep_is_reported_in_its_table(tmp_path, damage):
    sweep = Sweep(tmp_path)
    sweep.begin(2)
    sweep.write(Job(0, "seed=0", status="done"))
    (tmp_path / "jobs" / "1.json").write_bytes(damage)
    (tmp_path / "sweep.json").write_bytes(damage)
    assert sweep.progress() == "sweep: 1 done, 1 lost"
    table = sweep.end()
    assert f"{tmp_path}/jobs/1.json is damaged" in table
    assert table.endswith(f"{tmp_path}/sweep.json is damaged: the number of jobs is unknown")
    assert not sweep.is_complete()
