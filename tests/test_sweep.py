"""Sweeps: every job has its row, none is lost, and what is done is not done again."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from cnnlab.sweep import Job, Sweep, table_of
from tests.conftest import REPOSITORY

QUICK = ("-m", "trainer=smoke", "logger=none", "data.batch_size=20")


def table_in(text: str) -> list[list[str]]:
    """The words of each row of the last table that was printed."""
    lines = text.splitlines()
    last = max(i for i, line in enumerate(lines) if line.split()[:3] == ["job", "arguments", "status"])
    return [line.split() for line in lines[last + 2 : lines.index("", last)]]  # after the heading and its rule


def records(logs) -> dict[int, dict]:
    return {r["seed"]: r for r in (json.loads(path.read_text()) for path in logs.glob("*/*/result.json"))}


def test_a_failed_job_is_a_row_and_the_others_go_on(command, tmp_path):
    done = command("src/train.py", *QUICK, "seed=0,-1,2", "model=lenet5,mlp")
    assert done.returncode == 1
    rows = table_in(done.stdout)
    assert [row[3] for row in rows] == ["done", "done", "failed", "failed", "done", "done"]
    assert rows[2] == "2 seed=-1 model=lenet5 failed seed must be a whole number from 0 to 4294967295, got -1".split()
    assert float(rows[0][5]) == pytest.approx(100 * records(tmp_path / "logs")[0]["test/acc"], abs=0.01)
    assert "sweep: 4 done, 2 failed\n" in done.stdout
    (table,) = (tmp_path / "logs" / "sweeps").glob("*/table.txt")
    assert table.read_text().strip() in done.stdout


@pytest.mark.slow
def test_on_failure_stop_begins_no_other_job(command):
    done = command("src/train.py", *QUICK, "seed=0,-1,2", "on_failure=stop")
    assert done.returncode == 1
    assert [row[2] for row in table_in(done.stdout)] == ["done", "failed", "skipped"]


@pytest.mark.slow
def test_the_same_sweep_again_trains_nothing_and_two_workers_find_the_same_runs(command, tmp_path):
    first = command("src/train.py", *QUICK, "seed=0,1", "trainer.threads=1")
    assert first.returncode == 0, first.stderr
    before = records(tmp_path / "logs")
    again = command("src/train.py", *QUICK, "seed=0,1,2", "trainer.threads=1", "hydra/launcher=joblib")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("this run is done") == 2
    after = records(tmp_path / "logs")
    assert {seed: after[seed] for seed in before} == before
    assert [row[2] for row in table_in(again.stdout)] == ["done"] * 3


@pytest.mark.slow
def test_a_killed_sweep_goes_on_with_the_jobs_that_are_left(command, tmp_path, data_root):
    arguments = (*QUICK, "trainer.threads=1", f"seed={','.join(map(str, range(12)))}")
    whole = command("src/train.py", *arguments)
    assert whole.returncode == 0, whole.stderr
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "src/train.py", *arguments, f"log_dir={killed}"],
        cwd=REPOSITORY, env=os.environ | {"CNNLAB_DATA": str(data_root)}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    while sum(r["status"] == "done" for r in records(killed).values()) < 4:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    had = [seed for seed, record in records(killed).items() if record["status"] == "done"]
    assert 4 <= len(had) < 12
    resumed = command("src/train.py", *arguments, f"log_dir={killed}", logs=False)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout.count("this run is done") == len(had)
    results = [{s: (r["val/loss"], r["test/acc"]) for s, r in records(p).items()} for p in (tmp_path / "logs", killed)]
    assert results[0] == results[1]
    assert len(results[0]) == 12


def test_a_job_whose_process_is_gone_is_lost_and_the_progress_counts_all(tmp_path):
    sweep = Sweep(tmp_path)
    sweep.begin(total=4)
    sweep.write(Job(0, "seed=0", status="done", accuracies=(0.5, 0.25), seconds=90.0))
    sweep.write(Job(1, "seed=1"))
    assert sweep.progress().startswith("sweep: 1 done, 1 running, 2 left, ")
    assert not sweep.is_whole()
    assert table_in(f"{sweep.end()}\n\n") == [
        ["0", "seed=0", "done", "50.00", "25.00", "1.5", "min"],
        ["1", "seed=1", "lost"],
        ["2", "more", "were", "not", "begun"],
    ]
    Sweep(tmp_path).begin(total=1)
    assert not sweep.jobs()


def test_the_table_leaves_out_what_all_jobs_share():
    jobs = [Job(i, f"model=mlp seed={i}", status="done") for i in range(2)]
    assert "model=mlp" not in table_of(jobs)
    assert "model=mlp" in table_of(jobs[:1])
