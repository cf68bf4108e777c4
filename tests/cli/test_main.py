"""The command line: help and errors appear immediately, and each mistake gives one clear message."""

import os
import resource
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.reporting.synthetic import write_run

WITHOUT_TORCH = """
import runpy, sys
sys.argv = ["src/train.py", *sys.argv[1:]]
sys.path.insert(0, "src")
try:
    runpy.run_path("src/train.py", run_name="__main__")
except SystemExit as end:
    code = end.code
else:
    code = 0
heavy = sorted({"torch", "lightning", "torchvision", "torchmetrics", "sklearn", "matplotlib"} & set(sys.modules))
print("HEAVY", heavy)
sys.exit(code)
"""


def light(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--cfg", "job"),
        ("model=nonsense",),
        ("optimizer.lrr=1",),
        ("data.batch_size=0",),
        ("data=mnist", "data.root=nowhere", "data.download=false"),
        ("data=image_folder", "data.root=nowhere"),
        ("scheduler.warmup=2",),
        ("model=mlp", "model.dropout=2"),
    ],
    ids=" ".join,
)
def test_help_and_errors_import_nothing_heavy(arguments):
    done = light(*arguments)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_an_image_too_small_for_the_network_is_reported_before_lightning_is_imported():
    done = light("model=alexnet", "data.image_size=8")
    assert done.stderr.startswith("error: model: image_size must be at least 15 for AlexNet with stem=small, got 8")
    assert done.stdout.splitlines()[-1] == "HEAVY ['torch']"


@pytest.mark.parametrize("arguments", [("--help",), ("model=nonsense",)], ids=" ".join)
def test_help_and_errors_take_little_cpu_time(arguments):
    """About one second of CPU time, or more if other processes share its caches; Lightning alone takes five."""
    seconds = []
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "src/train.py", *arguments], cwd=REPOSITORY, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 2.5


def test_closing_the_output_pipe_early_is_no_error(tmp_path):
    for i in range(800):  # more text than a pipe holds
        write_run(tmp_path, f"run{i}")
    command = [sys.executable, "src/report.py", f"log_dir={tmp_path}", "group_by=run", "plot=false"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


MISTAKES = {
    "model=nonsense": "error: unknown choice model=nonsense; model is one of: ",
    "data=nonsense": "error: unknown choice data=nonsense; data is one of: cifar10, cifar100, digits, ",
    "experiment=nonsense": "error: unknown choice experiment=nonsense; experiment is one of: ",
    "optimizer.lrr=1": "error: unknown key optimizer.lrr; Adam accepts: lr, ",
    "epochs=3": "error: unknown key epochs; there are: ",
    "search=sgd": "error: unknown key search; there are: ",
    "logger=null": "error: logger must be one of: none, tensorboard; got null",
    "data.name=svhn": "error: data.name must be one of ['digits', 'mnist', ",
    "model=[lenet5,resnet18]": "error: model takes one choice, got [lenet5,resnet18]; to run each of them: -m model=",
    "model=lenet5,resnet18": "error: several values need a sweep: -m model=lenet5,resnet18",
    "data.batch_size=0": "error: data.batch_size must be a whole number of at least 1, got 0",
    "data.val_size=-1": "error: data.val_size must be a whole number of at least 0 or a fraction below 1, got -1",
    "data.val_size=1.5": "error: data.val_size must be a whole number of at least 0 or a fraction below 1, got 1.5",
    "seed=zero": "error: seed must be a whole number from 0 to 4294967295, got 'zero'",
    "trainer.precision=8": "error: trainer.precision must be one of ['auto', '32-true', 'bf16-mixed', '16-mixed'], ",
    "trainer.accelerator=tpu": "error: trainer.accelerator must be one of ['auto', 'cpu', 'gpu'], got 'tpu'",
    "monitor=test/acc": "error: monitor must be one of ['val/acc', 'val/loss', 'train/acc', 'train/loss'], got 'test",
    "monitor=val/f1": "error: monitor must be one of ['val/acc', 'val/loss', 'train/acc', 'train/loss'], got 'val/f1'",
    "data.val_size=0 scheduler=plateau": "error: scheduler=plateau needs validation images",
    "data.val_size=0 callbacks=early_stopping": "error: callbacks.early_stopping needs validation images",
    "optimizer.lr=fast": "error: optimizer.lr must be a number of at least 0, got 'fast'",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_is_one_clear_message_and_status_1(arguments):
    done = light(*arguments.split())
    assert done.returncode == 1
    assert done.stderr.startswith(MISTAKES[arguments])
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize("command", sorted(path.stem for path in (REPOSITORY / "src").glob("*.py")))
def test_every_command_has_help(command):
    done = subprocess.run(
        [sys.executable, f"src/{command}.py", "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"python src/{command}.py: ")


def test_a_missing_argument_is_reported():
    done = subprocess.run([sys.executable, "src/eval.py"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: checkpoint must be given: checkpoint=VALUE\n"


def test_a_missing_choice_is_reported_with_the_available_ones():
    done = subprocess.run([sys.executable, "src/tune.py"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    choices = "adamw, architecture, augmentation, loss_and_optimizer, sgd"
    assert done.stderr == f"error: search must be given: search=CHOICE, one of: {choices}\n"


def test_a_sweep_continues_after_a_mistake_and_ends_with_status_1():
    done = light("-m", "data.batch_size=0,-1")
    assert done.returncode == 1
    assert [line[-2:].strip() for line in done.stderr.splitlines()] == ["0", "-1"]


def test_an_experiment_defines_its_own_sweep():
    """An invalid seed shows which job ran without training it: plain18 has no shortcuts, resnet18 has type B."""
    done = light("-m", "experiment=residual_mnist", "seed=${model.shortcut}")
    assert [line.rpartition("got ")[2] for line in done.stderr.splitlines()] == ["'B'", "'none'"]
    alone = light("experiment=residual_mnist", "seed=${model.shortcut}")
    assert alone.stderr.endswith("got 'B'\n")
    assert "note: this is one job of a sweep over model; -m runs them all" in alone.stdout
    assert "note" not in light("experiment=residual_mnist", "model=plain18", "seed=-1").stdout


def test_hydra_full_error_shows_the_traceback():
    done = subprocess.run(
        [sys.executable, "src/train.py", "seed=-1"],
        cwd=REPOSITORY, env=os.environ | {"HYDRA_FULL_ERROR": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" in done.stderr
