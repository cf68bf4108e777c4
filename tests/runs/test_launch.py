"""One run in several processes: two learn the same as one, and if any of them is killed, all end.

The processes run on the CPU and communicate through gloo.
"""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from cnnlab.build.objects import build_classifier, build_datamodule
from cnnlab.build.trainer import build_trainer
from cnnlab.config.compose import compose
from cnnlab.errors import UserError
from cnnlab.machine import setup
from cnnlab.runs.checkpoint import read_checkpoint
from cnnlab.runs.evaluation import predict_logits
from cnnlab.runs.run import train
from cnnlab.runs.trained_network import load_trained
from cnnlab.training.classifier import ImageClassifier
from tests.conftest import REPOSITORY
from tests.runs.test_run import folder_of

NUMBERS = ("train/loss", "train/acc", "val/loss", "val/acc", "lr")


def run(overrides, **environment: str) -> tuple[dict, Path]:
    """Run the command; returns its record and its run folder."""
    done = subprocess.run(
        [sys.executable, "src/train.py", *overrides],
        cwd=REPOSITORY, env=os.environ | environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return record_of(overrides)


def record_of(overrides) -> tuple[dict, Path]:
    cfg = compose("train", overrides)
    (path,) = (Path(cfg.log_dir) / cfg.name).glob("*/result.json")
    return json.loads(path.read_text()), path.parent


def curves(folder: Path) -> list[list[float]]:
    with (folder / "metrics.csv").open() as stream:
        return [[float(row[name]) for name in NUMBERS] for row in csv.DictReader(stream)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "choices",
    [
        ["augment=crop_flip"],
        ["augment=mixup"],
        ["augment=cutmix", "trainer.limit_eval_batches=2"],
        ["scheduler=plateau", "scheduler.patience=0", "callbacks=averaging"],
    ],
)
def test_two_processes_learn_the_same_as_one(choices, arguments):
    one_cfg = compose("train", arguments(*choices, "name=one"))
    one = train(one_cfg)
    two, folder = run(arguments(*choices, "name=two", "trainer.devices=2"))
    assert (one["processes"], two["processes"]) == (1, 2)
    assert (one["steps"], two["steps"]) == (50, 50)
    assert one["run_id"] != two["run_id"]
    one_folder = folder_of(one_cfg, one)
    assert len(curves(folder)) == 5
    for rows in zip(curves(folder), curves(one_folder), strict=True):
        assert rows[0] == pytest.approx(rows[1], rel=1e-5)
    assert two["test/acc"] == one["test/acc"]
    assert two["test/loss"] == pytest.approx(one["test/loss"], rel=1e-5)
    images = 50 if "trainer.limit_eval_batches=2" in choices else 101
    assert two["test/acc"] * images == pytest.approx(round(two["test/acc"] * images), abs=1e-4)
    assert (folder / "train.log").read_text().count("epoch 5/5") == 1
    assert "2 processes, 1 thread each" in (folder / "train.log").read_text()


IN_A_PROCESS = """
import os, pathlib, time
if "LOCAL_RANK" in os.environ:
    from cnnlab.training.classifier import ImageClassifier
    step, rank, folder = ImageClassifier.training_step, int(os.environ["LOCAL_RANK"]), pathlib.Path(__file__).parent

    def training_step(self, batch, i):
        if self.current_epoch == 2 and i == 3:
            {statement}
        return step(self, batch, i)

    ImageClassifier.training_step = training_step
"""


@pytest.fixture
def in_a_process(tmp_path):
    """Makes each process run `statement`, which can use `rank`, before the fourth step of the third epoch."""

    def place(statement: str) -> dict[str, str]:
        (tmp_path / "sitecustomize.py").write_text(IN_A_PROCESS.format(statement=statement))
        return {"PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY / 'src'}"}

    return place


def is_alive(process: int) -> bool:
    status = Path(f"/proc/{process}/status")
    return status.exists() and "State:\tZ" not in status.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("victim", "number"),
    [
        ("rank 0", signal.SIGKILL), ("rank 1", signal.SIGKILL), ("the command", signal.SIGKILL),
        ("rank 0", signal.SIGTERM), ("rank 1", signal.SIGTERM),
    ],
)  # fmt: skip
def test_if_one_process_is_killed_all_end_and_the_resumed_run_is_the_same_bit_for_bit(
    victim, number, arguments, in_a_process, tmp_path
):
    overrides = arguments("model=mlp", "augment=crop_flip", "callbacks=averaging", "trainer.devices=2")
    _, uninterrupted = run([*overrides, "name=uninterrupted"])
    wait = "(folder / f'{rank}.pid').write_text(str(os.getpid())); time.sleep(100 if rank == 1 else 0)"
    command = subprocess.Popen(
        [sys.executable, "src/train.py", *overrides, "name=killed"], cwd=REPOSITORY, text=True,
        env=os.environ | in_a_process(wait), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    while not all((tmp_path / f"{rank}.pid").exists() for rank in (0, 1)):
        assert command.poll() is None
        time.sleep(0.1)
    time.sleep(0.5)  # rank 0 waits for the gradients of rank 1
    processes = [int((tmp_path / f"{rank}.pid").read_text()) for rank in (0, 1)]
    os.kill(command.pid if victim == "the command" else processes[int(victim[-1])], number)
    _, errors = command.communicate(timeout=20)
    record, killed = record_of([*overrides, "name=killed"])
    if victim == "the command":
        deadline = time.monotonic() + 10
        while any(map(is_alive, processes)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert record["status"] == "running"
    else:
        assert command.returncode == 1
        assert errors.splitlines()[-1] == f"error: {record['error']}"
        assert f"the process of {victim} was ended by {number.name}" in record["error"]
        assert ("memory" in record["error"]) == (number == signal.SIGKILL)
        assert "run the same command again" in record["error"]
        assert "Traceback" not in errors
        assert record["status"] == "interrupted"
        assert not any(map(is_alive, processes))
    assert len(curves(killed)) == 2
    run([*overrides, "name=killed"])
    assert curves(killed) == curves(uninterrupted)
    for which in ("best", "last"):
        paths = (folder / "checkpoints" / f"{which}.ckpt" for folder in (uninterrupted, killed))
        a, b = (read_checkpoint(path)["state_dict"] for path in paths)
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "status", "message"),
    [
        (
            "rank and self.net.f6.weight.data.fill_(float('nan'))",
            "failed",
            "the training loss is no longer finite in epoch 3 ",
        ),
        (
            "1 / (1 - rank)",
            "interrupted",
            "the process of rank 1 failed: ZeroDivisionError: division by zero; its traceback is in ",
        ),
        ("rank and os._exit(3)", "interrupted", "the process of rank 1 ended with exit code 3 without a report"),
    ],
)
def test_the_error_of_one_process_ends_all_of_them(statement, status, message, arguments, in_a_process, command):
    overrides = arguments("trainer.devices=2")
    done = command("src/train.py", *overrides, logs=False, **in_a_process(statement))
    assert done.returncode == 1
    record, folder = record_of(overrides)
    assert record["status"] == status
    assert record["error"].startswith(message)
    assert done.stderr.splitlines()[-1] == f"error: {record['error']}"
    assert "Traceback" not in done.stderr
    if "traceback" in message:
        assert "1 / (1 - rank)" in (folder / "error.txt").read_text()


LATE_FILES = """
import os, time
if os.environ.get("LOCAL_RANK") == "0":
    replace = os.replace
    os.replace = lambda *paths: (time.sleep(3), replace(*paths))
"""


@pytest.mark.slow
def test_all_processes_wait_for_the_checkpoints_that_they_test(arguments, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(LATE_FILES)
    overrides = arguments("trainer.max_epochs=1", "data.val_size=0", "trainer.devices=2")
    record, _ = run(overrides, PYTHONPATH=str(tmp_path))
    assert record["test/acc_last"] is not None


@pytest.mark.slow
def test_closing_the_output_pipe_interrupts_the_run(arguments):
    overrides = arguments("trainer.max_epochs=40", "trainer.devices=2")
    process = subprocess.Popen(
        [sys.executable, "src/train.py", *overrides], cwd=REPOSITORY, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert any(line.startswith("epoch  1/40") for line in process.stdout)
    process.stdout.close()
    with process.stderr as stream:
        errors = stream.read()
    assert process.wait(timeout=20) == 128 + signal.SIGPIPE
    assert errors == ""
    assert record_of(overrides)[0]["status"] == "interrupted"


@pytest.mark.slow
def test_all_processes_validate_with_the_saved_batch_norm_statistics(arguments):
    overrides = arguments("model=cnn", "trainer.max_epochs=1", "trainer.devices=2")
    record, folder = run(overrides)
    cfg = compose("train", overrides)
    data, trained = build_datamodule(cfg), load_trained(folder / "checkpoints" / "last.ckpt")
    logits = predict_logits(trained, (images for images, _ in data.val_dataloader()), setup.prepare(cfg.trainer))
    assert F.cross_entropy(logits, data.val.labels).item() == pytest.approx(record["val/loss"], rel=1e-5)


@pytest.mark.slow
def test_a_sweeps_jobs_may_have_several_processes(arguments, command):
    done = command("src/train.py", "-m", *arguments("trainer=smoke", "trainer.devices=2", "seed=0,1"), logs=False)
    assert done.returncode == 0, done.stderr
    assert "sweep: 2 done" in done.stdout


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["trainer=ddp", "data.batch_size=31"], "must be a multiple of the 2 processes .*, got 31"),
        (["trainer.devices=2", "data.limit=25"], "must be a multiple of the 2 processes .*, got 25"),
        (["trainer=ddp", "trainer.sync_batchnorm=true"], "trainer.sync_batchnorm=true needs GPUs"),
        (["trainer.num_nodes=2"], "with NODE_RANK .0 to 1. and the first node's MASTER_ADDR .*, got none of them"),
        (["trainer.devices=auto"], "trainer.devices must be a whole number from 1 to 1024, got 'auto'"),
        (["trainer.num_nodes=0"], "trainer.num_nodes must be a whole number from 1 to 1024, got 0"),
        (["trainer.sync_batchnorm=1"], "trainer.sync_batchnorm must be true or false, got 1"),
    ],
)
def test_unsupported_options_are_reported_before_anything_is_written(overrides, message, data_root, tmp_path):
    places = [f"log_dir={tmp_path / 'logs'}", f"data.root={data_root}", "trainer.accelerator=cpu"]
    with pytest.raises(UserError, match=message):
        train(compose("train", [*overrides, *places]))
    assert not list(tmp_path.iterdir())


def test_a_network_for_several_gpus_is_built_with_synchronized_batch_norm(arguments, monkeypatch):
    """Checks what needs no GPU: the Trainer that one of the processes builds."""
    from lightning.pytorch.plugins.layer_sync import TorchSyncBatchNorm
    from lightning.pytorch.strategies import DDPStrategy
    from lightning.pytorch.utilities import rank_zero_only
    from torch.nn import SyncBatchNorm

    monkeypatch.setattr(rank_zero_only, "rank", 0)  # the strategy sets it for the whole test process

    cfg = compose("train", arguments("model=resnet20", "trainer=ddp", "trainer.accelerator=cpu"))
    cpu = setup.prepare(cfg.trainer)  # before the next line, whose options it refuses on a CPU
    several = cfg.trainer.model_copy(update={"sync_batchnorm": True, "num_nodes": 2})
    cfg = cfg.model_copy(update={"trainer": several})
    for name, value in {"LOCAL_RANK": "1", "NODE_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    module = build_classifier(cfg, build_datamodule(cfg))
    trainer = build_trainer(cfg, cpu, Path(cfg.log_dir), *history_of(cfg), print)
    assert isinstance(trainer.strategy, DDPStrategy)
    assert (trainer.world_size, trainer.global_rank, trainer.is_global_zero) == (4, 3, False)
    synchronized = TorchSyncBatchNorm().apply(module)
    assert isinstance(synchronized, ImageClassifier)
    assert sum(isinstance(layer, SyncBatchNorm) for layer in synchronized.modules()) == 19


def history_of(cfg):
    from cnnlab.training.callbacks import Checkpoints, History

    return History(Path(cfg.log_dir) / "metrics.csv"), Checkpoints(Path(cfg.log_dir), None)
