"""The time from starting `train.py` to the end of its first training step, part by part."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from hydra.core.hydra_config import HydraConfig

from cnnlab.benchmarks.results import Result
from cnnlab.benchmarks.stopwatch import Timing
from cnnlab.config.folders import CONF
from cnnlab.config.schema import BenchmarkConfig
from cnnlab.errors import UserError
from cnnlab.machine.probes import device_name, device_type

BENCHMARK_ONLY = ("bench=", "rounds=", "profile=", "log_dir=")  # arguments that are not passed to train.py


def bench(cfg: BenchmarkConfig) -> Result:
    arguments = task_arguments()
    measured = [first_step(arguments) for _ in range(1 + cfg.rounds)][1:]  # the first one may fill caches
    timings = {part: Timing([seconds[part] for seconds in measured]) for part in measured[0]}
    total = timings["total"] = Timing([sum(seconds.values()) for seconds in measured])
    rows = [
        {
            "part": part,
            "seconds": timing.median,
            "fastest": min(timing.seconds),
            "slowest": max(timing.seconds),
            "fraction": 100 * timing.median / total.median,
        }
        for part, timing in timings.items()
    ]
    facts = {
        "command": " ".join(["python src/train.py", *arguments]),
        "device": device_name(device_type(cfg.trainer.accelerator)),
        "turns": f"{cfg.rounds}, each in a new process; values are medians, so the parts do not add up to the total",
    }
    return Result(facts, {"from the command to the first step": rows}, timings=timings)


def task_arguments() -> list[str]:
    """The command line's arguments that `train.py` takes too."""
    return [word for word in HydraConfig.get().overrides.task if not word.startswith(BENCHMARK_ONLY)]


def first_step(arguments: Sequence[str]) -> dict[str, float]:
    """Run `train.py` up to its first step in a new process; returns the seconds of each part.

    Raises:
        UserError: train.py ended before its first step.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                sys.executable, "-m", "cnnlab.benchmarks.first_step", str(time.monotonic()), *arguments,
                f"log_dir={folder}",
            ],
            env=os.environ | {"PYTHONPATH": str(CONF.parent / "src")}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    lines = done.stdout.splitlines()
    if done.returncode or not lines or not lines[-1].startswith("{"):
        raise UserError(f"train.py ended before its first step:\n{done.stderr.strip() or done.stdout.strip()}")
    return dict(json.loads(lines[-1]))
