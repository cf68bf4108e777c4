"""How long `train.py` takes from the command to its first training step, and what that time goes to."""

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

OWN = ("bench=", "rounds=", "profile=", "log_dir=")  # arguments that are not train.py's


def bench(cfg: BenchmarkConfig) -> Result:
    arguments = [word for word in HydraConfig.get().overrides.task if not word.startswith(OWN)]
    measured = [first_step(arguments) for _ in range(1 + cfg.rounds)][1:]  # the first may fill caches
    timings = {part: Timing([seconds[part] for seconds in measured]) for part in measured[0]}
    total = Timing([sum(seconds.values()) for seconds in measured])
    rows = []
    for part, timing in [*timings.items(), ("total", total)]:
        fastest, slowest = timing.spread
        rows.append(
            {
                "part": part,
                "seconds": timing.median,
                "fastest": fastest,
                "slowest": slowest,
                "fraction": 100 * timing.median / total.median,
            }
        )
    facts = {
        "command": " ".join(["python src/train.py", *arguments]),
        "device": device_name(device_type(cfg.trainer.accelerator)),
        "turns": f"{cfg.rounds}, each a process of its own; figures are medians, so that they do not add up exactly",
    }
    return Result(facts, {"from the command to the first step": rows}, timings=timings | {"total": total})


def first_step(arguments: Sequence[str]) -> dict[str, float]:
    """Seconds by part of one process.

    Raises:
        UserError: it did not come to its first step.
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
        raise UserError(f"train.py did not come to its first step:\n{done.stderr.strip() or done.stdout.strip()}")
    return dict(json.loads(lines[-1]))
