"""Hydra's launchers: a sweep's jobs learn the same wherever they run."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from cnnlab.config.compose import composed
from hydra_plugins.cnnlab_ray import remote_options
from tests.cli.test_sweep import records, table_in
from tests.conftest import REPOSITORY
from tests.runs.test_signals import LONG

LEARNED = ("val/acc", "val/loss", "test/acc", "test/loss", "test/acc_last", "best_epoch", "epochs", "steps")
RAY = ("hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2")


@pytest.mark.slow
def test_every_launcher_gives_the_same_results(command, tmp_path):
    launchers: dict[str, tuple[str, ...]] = {
        "basic": (),
        "joblib": ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
    }
    launchers |= {"ray": RAY} if find_spec("ray") else {}
    launchers |= {"submitit_local": ("hydra/launcher=submitit_local",)} if find_spec("submitit") else {}
    results = {}
    for name, arguments in launchers.items():
        logs = tmp_path / name
        sweep = ("-m", "seed=0,1", "model=lenet5,mlp", "trainer.threads=1", "trainer.max_epochs=2", "logger=none")
        done = command("src/train.py", *sweep, *arguments, f"log_dir={logs}", logs=False, timeout=300)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1].startswith("table  ")
        found = [json.loads(path.read_text()) for path in logs.glob("*/*/result.json")]
        results[name] = {record["run_id"]: [record[key] for key in LEARNED] for record in found}
    assert len(results["basic"]) == 4
    for name, learned in results.items():
        assert learned == results["basic"], name


def owner_of(lock: Path) -> int | None:
    """The id of the process that has the file open."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(link.readlink() == lock for link in (process / "fd").iterdir()):
                return int(process.name)
    return None


@pytest.mark.slow
@pytest.mark.parametrize("retries", [0, 3])
def test_a_killed_ray_worker_loses_only_its_job_or_is_retried(retries, tmp_path, data_root):
    pytest.importorskip("ray")
    sweep = (
        "-m",
        *LONG,
        "trainer.max_epochs=12",
        "seed=0,1,2",
        *RAY,
        f"hydra.launcher.ray.remote.max_retries={retries}",
    )
    # When memory is low, Ray kills workers on its own. This test must kill only the one that it chooses.
    variables = os.environ | {"CNNLAB_DATA": str(data_root), "RAY_memory_monitor_refresh_ms": "0"}
    with (tmp_path / "out").open("w+") as out:
        process = subprocess.Popen(
            [sys.executable, "src/train.py", *sweep, f"log_dir={tmp_path / 'logs'}"],
            cwd=REPOSITORY, env=variables, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
        deadline = time.monotonic() + 200
        while not (checkpoints := list((tmp_path / "logs").glob("*/*/checkpoints/last.ckpt"))):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        worker = owner_of(checkpoints[0].parents[1] / ".lock")
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        assert process.wait(timeout=200) == (0 if retries else 1)
        out.seek(0)
        text = out.read()
    assert sorted(row[2] for row in table_in(text)) == ["done", "done", "done" if retries else "lost"]
    assert ("resuming after epoch " in text) == bool(retries)
    assert text.splitlines()[-1].startswith("table  ")


@pytest.mark.parametrize("launcher", ["submitit_slurm", "submitit_local"])
def test_the_submitit_launchers_compose(launcher):
    pytest.importorskip("submitit")
    arguments = [f"hydra/launcher={launcher}", "hydra.launcher.timeout_min=240", "hydra.launcher.cpus_per_task=4"]
    settings = composed("train", arguments).hydra.launcher
    assert settings._target_.startswith("hydra_plugins.hydra_submitit_launcher.")
    assert (settings.timeout_min, settings.cpus_per_task) == (240, 4)


def test_a_job_on_a_cluster_has_one_gpu_and_its_output_beside_the_sweeps_table():
    cfg = composed("train", ["hydra/launcher=submitit_slurm"])
    assert cfg.hydra.launcher.gpus_per_node == 1
    assert cfg.hydra.launcher.submitit_folder.startswith(cfg.hydra.sweep.dir)


@pytest.mark.parametrize(
    ("given", "has_gpus", "trainer", "expected"),
    [
        (None, True, {"accelerator": "auto", "devices": 1}, 1),
        (None, True, {"accelerator": "auto", "devices": 4}, 4),
        (None, True, {"accelerator": "cpu", "devices": 1}, 0),
        (None, False, {"accelerator": "auto", "devices": 1}, 0),
        (0.25, True, {"accelerator": "auto", "devices": 1}, 0.25),
    ],
)
def test_ray_gives_each_job_as_many_gpus_as_it_has_processes(given, has_gpus, trainer, expected):
    options = remote_options({"num_cpus": 1, "num_gpus": given}, OmegaConf.create({"trainer": trainer}), has_gpus)
    assert options == {"num_cpus": 1, "num_gpus": expected}


@pytest.mark.slow
def test_parallel_jobs_share_the_cpus(command, tmp_path):
    """The network is large enough to use all CPUs if it runs alone."""
    cores = len(os.sched_getaffinity(0))
    launchers = {"joblib": ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")}
    if find_spec("ray"):
        launchers["ray"] = (*RAY, f"hydra.launcher.ray.init.num_cpus={cores}")
    expected = {"joblib": max(cores // 2, 1), "ray": 1}
    for name, arguments in launchers.items():
        logs = tmp_path / name
        network = ("model=cnn", "data.batch_size=512", "data.limit=512", "trainer=smoke", "logger=none")
        sweep = ("-m", "seed=0,1", *network, *arguments, f"log_dir={logs}")
        done = command("src/train.py", *sweep, logs=False, OMP_NUM_THREADS=None, timeout=300)
        assert done.returncode == 0, done.stderr
        assert [record["threads"] for record in records(logs).values()] == [expected[name]] * 2


def children_of(parent: int) -> set[int]:
    """The processes that `parent` has started."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            if f"PPid:\t{parent}\n" in status.read_text():
                found.add(int(status.parent.name))
    return found


def is_running(process: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return False


@pytest.mark.slow
def test_the_workers_of_a_launcher_end_with_a_command_that_is_killed(data_root, tmp_path):
    arguments = ["-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=0,1", "trainer.max_epochs=2000"]
    places = [f"log_dir={tmp_path}", f"data.root={data_root}", "logger=none"]
    command = [sys.executable, "src/train.py", *arguments, *places]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while len(list(tmp_path.glob("*/*/metrics.csv"))) < 2 and time.monotonic() < end:
        time.sleep(0.2)
    workers = children_of(process.pid)
    process.kill()
    process.wait()
    assert len(workers) >= 2
    while any(map(is_running, workers)) and time.monotonic() < end:
        time.sleep(0.2)
    assert not list(filter(is_running, workers))
