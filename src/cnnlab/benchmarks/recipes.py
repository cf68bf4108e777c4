"""`train.py` with a speed recipe against the published one, whole processes that run alternately, one pair per seed."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

import torch
from hydra.core.hydra_config import HydraConfig

from cnnlab.benchmarks.results import Result, Row
from cnnlab.benchmarks.startup import task_arguments
from cnnlab.benchmarks.stopwatch import Timing, now
from cnnlab.build.objects import build_datamodule
from cnnlab.config.schema import BenchmarkConfig
from cnnlab.errors import UserError
from cnnlab.machine.probes import device_name
from cnnlab.machine.setup import prepare

OURS, PUBLISHED = "train.py", "airbench94_muon"
MEASURES = {"training": "training, s", "process": "whole process, s"}  # of one run -> heading


def bench(cfg: BenchmarkConfig) -> Result:
    if cfg.data.name != "cifar10" or cfg.data.val_size:
        raise UserError(
            "bench=recipe trains on all of CIFAR-10, as the published recipe does; "
            "use experiment=cifar10_fast data.val_size=0"
        )
    data, machine = build_datamodule(cfg), prepare(cfg.trainer)
    found: dict[str, list[Row]] = {OURS: [], PUBLISHED: []}
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.pt"
        torch.save(
            {
                "train": data.train.split.images, "train_labels": data.train.split.labels,
                "test": data.test.split.images, "test_labels": data.test.split.labels,
            },
            images,
        )  # fmt: skip
        for seed in range(cfg.rounds):
            found[OURS].append(_train(task_arguments(), seed, Path(cfg.log_dir) / "bench" / f"seed{seed}"))
            found[PUBLISHED].append(_published(images, seed))
    timings = {
        f"{name}, {measure}": Timing([run[measure] for run in runs])
        for name, runs in found.items()
        for measure in MEASURES
    }
    facts = {
        "recipe": HydraConfig.get().runtime.choices.get("experiment") or cfg.name,
        "images": f"{len(data.train):,} for training and {len(data.test):,} of the test set; {data.dataset.source}",
        "device": f"{device_name(machine.device)}, threads: {machine.threads}, {machine.precision}",
        "turns": f"{cfg.rounds} of each recipe, seeds 0 to {cfg.rounds - 1}, alternately, each in a new process",
    }
    notes = [
        f"{heading}: train.py takes {_ratio(timings, measure):.3f} of the published recipe's time (medians)."
        for measure, heading in (("training", "Training"), ("process", "Whole process"))
    ]
    notes.append("test, %: with views, mean and standard deviation over the seeds; the last weights of each run.")
    return Result(facts, {"recipes": [_row(name, runs) for name, runs in found.items()]}, notes, timings)


def _ratio(timings: dict[str, Timing], measure: str) -> float:
    return timings[f"{OURS}, {measure}"].median / timings[f"{PUBLISHED}, {measure}"].median


def _row(name: str, runs: Sequence[Row]) -> Row:
    accuracies = [run["test"] for run in runs]
    row: Row = {"recipe": name, "test, %": f"{mean(accuracies):.2f}"}
    if len(runs) > 1:
        row["±"] = f"{stdev(accuracies):.2f}"
    for measure, heading in MEASURES.items():
        timing = Timing([run[measure] for run in runs])
        row |= {
            heading: timing.median,
            f"{measure}: fastest": timing.spread[0],
            f"{measure}: slowest": timing.spread[1],
        }
    return row


def _train(arguments: Sequence[str], seed: int, folder: Path) -> Row:
    """Train from the start, with the run below `folder`."""
    options = ["fresh=true", f"seed={seed}", f"log_dir={folder}"]
    seconds, _ = _run([sys.executable, "-m", "cnnlab", "train", *arguments, *options])
    newest = max(folder.rglob("result.json"), key=lambda path: path.stat().st_mtime)
    record = json.loads(newest.read_text(encoding="utf-8"))
    return {"test": 100 * record["test/acc"], "training": record["train_seconds"], "process": seconds}


def _published(images: Path, seed: int) -> Row:
    seconds, output = _run([sys.executable, "-m", "cnnlab.benchmarks.airbench", str(images), str(seed)])
    result = json.loads(output.splitlines()[-1])
    return {"test": result["test with views"], "training": result["seconds"], "process": seconds}


def _run(command: Sequence[str]) -> tuple[float, str]:
    """Run a command; returns its seconds and what it printed."""
    start = now()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{' '.join(command[2:5])} ended with an error:\n{done.stderr.strip() or done.stdout.strip()}")
    return now() - start, done.stdout
