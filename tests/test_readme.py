"""The README's commands work, and its numbers and names are those of the records and the code."""

import json
import re
import shlex
import subprocess
from collections import defaultdict
from statistics import mean, median, stdev
from typing import get_args

import pytest

from cnnlab.benchmarks.results import figure
from cnnlab.config.compose import compose
from cnnlab.config.folders import CONF
from cnnlab.config.schema import Bench
from cnnlab.config.sections import Convolution
from cnnlab.lab.notebook import EXPERIMENTS
from cnnlab.runs.run import train
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
COMMANDS = [
    line for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line.strip()
]
RESULTS = [json.loads(path.read_text()) for path in sorted((REPOSITORY / "docs" / "results").glob("*.json"))]


def overrides_of(command: str) -> tuple[str, list[str]]:
    """The configuration's name and the overrides of a `python src/X.py ...` command."""
    words = shlex.split(command)
    return words[1].removeprefix("src/").removesuffix(".py"), words[2:]


def test_every_command_calls_make_or_python():
    assert len(COMMANDS) > 8
    for command in COMMANDS:
        assert command.startswith(("make ", "python src/")), command


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_make_commands_have_a_target_and_arguments_that_compose(command):
    words = shlex.split(command)
    targets = re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert words[1] in targets
    for word in words[2:]:
        compose("train", shlex.split(word.removeprefix("ARGS=")))


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("python ")])
def test_python_commands_compose(command):
    name, overrides = overrides_of(command)
    assert (REPOSITORY / "src" / f"{name}.py").exists()
    if overrides == ["--help"]:
        return
    if overrides[:1] == ["-m"]:
        overrides = [override.split(",")[0] for override in overrides[1:]]
    compose(name, overrides)


@pytest.mark.slow
def test_the_sweep_of_the_readme_runs_each_job(command, tmp_path):
    (sweep,) = [c for c in COMMANDS if " -m model=" in c]
    name, overrides = overrides_of(sweep)
    done = command(f"src/{name}.py", *overrides, "trainer=smoke", "logger=none")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "logs").glob("*/*/result.json"))) == 6


def test_evaluation_and_table_run_as_commands(command, tmp_path, data_root):
    train(compose("train", ["trainer=smoke", "logger=none", f"log_dir={tmp_path / 'logs'}", f"data.root={data_root}"]))
    (checkpoint,) = (tmp_path / "logs").rglob("best.ckpt")
    evaluation = command("src/eval.py", f"checkpoint={checkpoint}", logs=False)
    assert evaluation.returncode == 0, evaluation.stderr
    assert "top-5 accuracy" in evaluation.stdout
    assert (checkpoint.parents[1] / "figures" / "confusion_test.png").exists()
    table = command("src/report.py")
    assert table.stdout.splitlines()[2].split()[:3] == ["lenet5", "digits", "1"]
    for done in (evaluation, table):
        assert done.stderr == ""


@pytest.mark.slow
def test_benchmark_runs_as_a_command(command):
    benchmark = command("src/benchmark.py", "rounds=1", "data.batch_size=8")
    assert "bf16-mixed, channels_last" in benchmark.stdout
    assert benchmark.stderr == ""


@pytest.mark.slow
def test_the_table_of_networks_is_what_analyze_prints(command, tmp_path):
    output = tmp_path / "networks.md"
    done = command("src/analyze.py", "models=all", "format=markdown", f"output={output}", f"figures={tmp_path}")
    assert done.returncode == 0, done.stderr
    table = "\n".join(line for line in output.read_text().splitlines() if line.startswith("|"))
    assert table in README


def test_make_help_lists_every_target():
    shown = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for target in (
        "setup",
        "show",
        "train",
        "tune",
        "eval",
        "predict",
        "explain",
        "test",
        "check",
        "lab",
        "bench",
        "table",
        "tensorboard",
        "clean",
        "help",
    ):
        assert f"make {target}" in shown


@pytest.mark.parametrize(
    "group", ["model", "data", "augment", "loss", "optimizer", "scheduler", "callbacks", "trainer", "logger", "search"]
)
def test_the_tables_of_choices_match_the_configuration(group):
    (row,) = re.findall(rf"^\| `{group}=` \| (.*) \|$", README, re.MULTILINE)
    named = set(re.findall(r"`([a-z0-9_]+)`", row))
    assert named == {path.stem for path in (CONF / group).glob("*.yaml")}


def first_column(key: str) -> list[str]:
    """The names in the first column of the README's table whose header is `key=`."""
    (table,) = re.findall(rf"^\| `{key}=` \|.*\n\| ---.*\n((?:\|.*\n)+)", README, re.MULTILINE)
    return re.findall(r"^\| `([a-z0-9_]+)`", table, re.MULTILINE)


def test_the_tables_of_methods_experiments_and_benchmarks_match_the_code():
    assert tuple(first_column("conv")) == get_args(Convolution)
    assert tuple(first_column("lab")) == EXPERIMENTS
    assert tuple(first_column("bench")) == get_args(Bench)


def results_table() -> str:
    """The table of results, generated from the records in docs/results."""
    runs = defaultdict(list)
    for record in RESULTS:
        assert record["status"] == "done"
        assert not record["limits"]
        command = " ".join(word for word in record["overrides"] if not word.startswith(("seed=", "log_dir=", "fresh=")))
        runs[command or "(none)"].append(record)
    lines = ["| arguments | test accuracy | n | minutes | device |", "| --- | --- | --- | --- | --- |"]
    for command, records in runs.items():
        assert len({record["seed"] for record in records}) == len(records) >= 3
        assert len({(record["device"], record["threads"], record["precision"]) for record in records}) == 1
        accuracies = [100 * record["test/acc"] for record in records]
        minutes = median(record["train_seconds"] for record in records) / 60
        device = "{device}, {threads} thread{s}, {precision}".format(**records[0], s="s" * (records[0]["threads"] > 1))
        cells = (
            f"`{command}`",
            f"{mean(accuracies):.2f} ± {stdev(accuracies):.2f}",
            len(records),
            f"{minutes:.1f}",
            device,
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def speed_table() -> str:
    """The table of speeds, generated from the benchmark results in docs/speed."""
    found = {path.stem: json.loads(path.read_text()) for path in (REPOSITORY / "docs" / "speed").glob("*.json")}
    assert found
    devices = {name: record["device"].partition(",")[0] for name, record in found.items() if "recipe" not in name}
    assert {*devices.values()} == {"Intel(R) Xeon(R) Processor @ 2.50GHz"}
    assert all(record["git_clean"] for record in found.values())

    def rates(file: str, table: str, column: str, key: str, *names: str) -> list[float]:
        rows = {row[key]: row[column] for row in found[file]["tables"][table]}
        return [rows[name] for name in names]

    steps, batches = "training steps", "augmented, normalised batches"  # the records' spelling
    compared = [
        (
            "the network of cifar10_fast, images/s", "plain script",
            rates("train-cifar10_fast", steps, "images/s", "step", "train.py", "plain PyTorch"),
        ),
        (
            "ResNet-18 on CIFAR-10, images/s", "plain script",
            rates("train-resnet18-cifar10", steps, "images/s", "step", "train.py", "plain PyTorch"),
        ),
        (
            "its convolutions alone, each by what is fastest, images/s", "all by PyTorch",
            rates("ops-resnet18-cifar10", "what a step takes at least", "images/s", "convolutions by", "best", "torch"),
        ),
        (
            "batches of 128, cropped and flipped, a second", "its loader",
            rates("data-resnet18-cifar10", batches, "batches/s", "batches by", "cnnlab", "plain PyTorch"),
        ),
        (
            "ResNet-18 on CIFAR-10, images/s", "loop without Lightning",
            rates("trainer-resnet18-cifar10", steps, "images/s", "loop", "Trainer", "bare loop"),
        ),
        (
            "LeNet-5 on MNIST, batches of 128, images/s", "loop without Lightning",
            rates("trainer-lenet5-mnist", steps, "images/s", "loop", "Trainer", "bare loop"),
        ),
    ]  # fmt: skip
    lines = ["| | cnnlab | beside it | ratio |", "| --- | --: | --: | --: |"]
    for what, other, (own, theirs) in compared:
        lines.append(f"| {what} | {figure(own):,} | {figure(theirs):,}, {other} | {own / theirs:.2f} |")
    (total,) = rates("startup-lenet5-digits", "from the command to the first step", "seconds", "part", "total")
    lines.append(f"| from the command to the first step, seconds | {total:.1f} | | |")
    return "\n".join(lines)


def test_the_speeds_match_the_records():
    assert speed_table() in README
    record = json.loads((REPOSITORY / "docs" / "speed" / "train-resnet18-cifar10.json").read_text())
    (fraction,) = re.findall(r"All convolutions together reach (\d+) %", " ".join(record["notes"]))
    assert f"The convolutions of a step of ResNet-18 together reach {fraction} % of the rate" in " ".join(
        README.split()
    )


def test_the_results_match_the_records():
    assert RESULTS
    assert results_table() in README


def test_the_transcript_matches_its_record():
    (record,) = [r for r in RESULTS if r["name"] == "lenet5-digits" and r["seed"] == 0]
    (shown,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    assert f"test accuracy        {100 * record['test/acc']:.2f} %" in shown
    assert f"validation accuracy  {100 * record['val/acc']:.2f} %" in shown
    assert record["run_id"] in shown
    assert record["test/acc"] >= 0.97
