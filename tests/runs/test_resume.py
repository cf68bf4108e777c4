"""Interrupted runs resume to the same result, and complete files stay intact."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cnnlab import models
from cnnlab.build.objects import build_datamodule
from cnnlab.config.compose import compose
from cnnlab.errors import UserError
from cnnlab.preprocessing import normalize
from cnnlab.runs.predictions import Predictions
from cnnlab.runs.run import train
from cnnlab.training.classifier import ImageClassifier
from tests.conftest import REPOSITORY
from tests.runs.test_run import QUICK, folder_of, rows_of, weights

KILLED = (
    "model=mlp", "augment=crop_flip", "trainer.max_epochs=4", "trainer.precision=32-true", "callbacks=averaging",
    "callbacks.gradient_norms={every:5}",
)  # fmt: skip


FAST = (
    "model=fastnet", "model.widths=[8,8,8]", "data=cifar10", "augment=alternating_flip", "callbacks=averaging",
    "callbacks.averaging.decay=0.5", "param_groups.bias_lr_factor=4", "scheduler=triangular", "data.batch_size=8",
    "trainer.max_epochs=3", "tta=flip_shift", "logger=none",
)  # fmt: skip


@pytest.mark.parametrize("precision", ["32-true", pytest.param("bf16-mixed", marks=pytest.mark.slow)])
def test_whitening_muon_and_alternating_flips_resume_bit_for_bit(configure, monkeypatch, small_datasets, precision):
    arguments = (*FAST, f"data.root={small_datasets}", f"trainer.precision={precision}")
    uninterrupted = configure(*arguments)
    uninterrupted_folder = folder_of(uninterrupted, train(uninterrupted))
    interrupted = configure(*arguments, "name=interrupted")
    interrupt_in_the_second_epoch(interrupted, monkeypatch)
    folders = (uninterrupted_folder, folder_of(interrupted, train(interrupted)))
    a, b = (weights(folder / "checkpoints" / "last.ckpt") for folder in folders)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    timeless = [[row | {"images_per_second": "", "seconds": ""} for row in rows_of(folder)] for folder in folders]
    assert timeless[0] == timeless[1]
    recorded = [records_of(folder / "checkpoints" / "last.ckpt") for folder in folders]
    assert len(recorded[0]) == 7
    for one, other in zip(*recorded, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    assert load_predictions(folders[0]).tolist() == load_predictions(folders[1]).tolist()

    data = build_datamodule(uninterrupted)
    net = models.fastnet(widths=(8, 8, 8))
    net.whiten(normalize(data.train[torch.arange(len(data.train))][0], data.spec))
    torch.testing.assert_close(a["net.whitening.weight"], net.whitening.weight)  # still that of the training images


def records_of(checkpoint: Path) -> list[torch.Tensor]:
    """What the recorders of a run saved: losses by step, norms of layers, filters."""
    states = torch.load(checkpoint, weights_only=True)["callbacks"]
    losses, norms, filters = (states[name] for name in ("StepLosses", "LayerNorms", "FirstFilters"))
    stacked = torch.stack([kernels for _, kernels in filters["filters"]])
    epochs = torch.tensor([filters["epochs"], [step for step, _ in filters["filters"]]])
    return [*losses.values(), norms["steps"], norms["weights"], norms["gradients"], stacked, epochs]


def load_predictions(folder: Path) -> torch.Tensor:
    return Predictions.load(folder / "predictions.npz").logits


@pytest.mark.slow
def test_a_killed_run_resumes_bit_for_bit(configure, data_root, tmp_path):
    """Dropout, augmentation, averaging, gradient norms: everything that is random, has state or is logged."""
    uninterrupted = configure(*KILLED)
    uninterrupted_folder = folder_of(uninterrupted, train(uninterrupted))

    logs = tmp_path / "killed"
    arguments = [*KILLED, f"log_dir={logs}", f"data.root={data_root}", "data.download=false"]
    # One slow step, so that the kill hits the middle of the third epoch.
    script = (
        "import runpy, sys, time; sys.path.insert(0, 'src')\n"
        "from cnnlab.training.classifier import ImageClassifier as C\n"
        "step = C.training_step\n"
        "def slow(self, batch, i):\n"
        "    if self.current_epoch == 2 and i == 3: print('NOW', flush=True); time.sleep(60)\n"
        "    return step(self, batch, i)\n"
        "C.training_step = slow\n"
        f"sys.argv = ['src/train.py'] + {arguments!r}\n"
        "runpy.run_path('src/train.py', run_name='__main__')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert any(line.startswith("NOW") for line in process.stdout)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    resumed = compose("train", arguments)
    killed_folder = logs / resumed.name / uninterrupted_folder.name
    assert json.loads((killed_folder / "result.json").read_text())["status"] == "running"
    record = train(resumed)
    assert folder_of(resumed, record) == killed_folder
    folders = (uninterrupted_folder, killed_folder)
    for which in ("best", "last"):
        a, b = (weights(folder / "checkpoints" / f"{which}.ckpt") for folder in folders)
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)
    timeless = [[row | {"images_per_second": "", "seconds": ""} for row in rows_of(f)] for f in folders]
    assert timeless[0] == timeless[1]
    for tag in ("train/loss", "gradient/hidden.0"):
        assert scalars(killed_folder, tag) == scalars(uninterrupted_folder, tag)
        assert len(scalars(killed_folder, tag)) == 4


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


@pytest.mark.parametrize(
    "end",
    [
        ("trainer.max_epochs=2",),
        ("trainer.max_epochs=9", "trainer.max_steps=7"),
        ("trainer.max_epochs=9", "callbacks=early_stopping", "callbacks.early_stopping.patience=1", "optimizer.lr=0"),
    ],
)
def test_a_run_interrupted_before_its_test_is_only_tested(configure, end):
    cfg = configure("data.limit=128", *end)
    record = train(cfg)
    folder = folder_of(cfg, record)
    (folder / "result.json").write_text(json.dumps(record | {"status": "running"}))
    written = (folder / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    again = train(cfg)
    assert (folder / "checkpoints" / "last.ckpt").stat().st_mtime_ns == written
    assert len(scalars(folder, "val/acc")) == 2
    same = ("best_epoch", "val/acc", "test/acc", "test/acc_last", "train_seconds")
    assert {key: again[key] for key in same} == {key: record[key] for key in same}


def interrupt_in_the_second_epoch(cfg, monkeypatch) -> None:
    interrupt_in(1, cfg, monkeypatch)


def interrupt_in(epoch: int, cfg, monkeypatch) -> None:
    """Interrupt the run in `epoch`, counted from 0, as Ctrl-C does."""
    step = ImageClassifier.training_step
    handler = signal.getsignal(signal.SIGINT)

    def stops(self, batch, batch_idx):
        if self.current_epoch == epoch:
            raise KeyboardInterrupt
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(ImageClassifier, "training_step", stops)
        with pytest.raises(KeyboardInterrupt):
            train(cfg)
    signal.signal(signal.SIGINT, handler)  # Lightning leaves SIGINT ignored


def test_ctrl_c_keeps_the_last_epoch_and_the_same_command_resumes(configure, capsys, monkeypatch):
    cfg = configure(*QUICK)
    interrupt_in_the_second_epoch(cfg, monkeypatch)
    (folder,) = (Path(cfg.log_dir) / cfg.name).iterdir()
    assert json.loads((folder / "result.json").read_text())["status"] == "interrupted"
    train(cfg)
    assert "resuming after epoch 1 of 2" in capsys.readouterr().out
    assert [row["epoch"] for row in rows_of(folder)] == ["1", "2"]


@pytest.mark.slow
def test_a_full_disk_is_reported_and_the_last_complete_checkpoint_remains(configure, monkeypatch):
    """The process may not write files larger than 300 kB; a checkpoint of LeNet-5 with Adam's state takes 760 kB."""
    cfg = configure(*QUICK)
    interrupt_in_the_second_epoch(cfg, monkeypatch)
    (folder,) = (Path(cfg.log_dir) / cfg.name).iterdir()
    last = folder / "checkpoints" / "last.ckpt"
    content = last.read_bytes()
    assert len(content) > 300_000
    arguments = ["src/train.py", *QUICK, f"log_dir={cfg.log_dir}", f"data.root={cfg.data.root}", "data.download=false"]
    limited = (
        "import resource, runpy, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        f"sys.argv = {arguments!r}\n"
        "sys.path.insert(0, 'src')\n"
        "runpy.run_path('src/train.py', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited], cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 1
    assert f"error: {last} cannot be written: [Errno 27] File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert last.read_bytes() == content
    assert not list(folder.rglob("*.part*"))
    assert json.loads((folder / "result.json").read_text())["status"] == "interrupted"


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True)], ids=["to bf16", "from bf16"])
def test_a_run_is_resumed_in_the_precision_in_which_it_started(first, second, configure, monkeypatch):
    """`auto` means bf16-mixed on one machine and 32-true on the other; the same command is the same run on both."""
    cfg = configure(*QUICK)
    monkeypatch.setattr("cnnlab.machine.setup.has_bf16_units", lambda device: first)
    interrupt_in_the_second_epoch(cfg, monkeypatch)
    monkeypatch.setattr("cnnlab.machine.setup.has_bf16_units", lambda device: second)
    record = train(cfg)
    assert record["precision"] == ("bf16-mixed" if first else "32-true")
    assert record["epochs"] == 2
    assert len(list((Path(cfg.log_dir) / cfg.name).iterdir())) == 1


def run_interrupted_in_the_third_epoch(configure, monkeypatch):
    """The configuration and the folder of a run with two completed epochs."""
    cfg = configure("data.limit=128", "trainer.max_epochs=3", "logger=none")
    interrupt_in(2, cfg, monkeypatch)
    (folder,) = (Path(cfg.log_dir) / cfg.name).iterdir()
    return cfg, folder


def test_a_partially_written_checkpoint_is_not_read(configure, monkeypatch, capsys):
    cfg, folder = run_interrupted_in_the_third_epoch(configure, monkeypatch)
    last = folder / "checkpoints" / "last.ckpt"
    last.with_suffix(".part").write_bytes(last.read_bytes()[:1000])
    train(cfg)
    assert "resuming after epoch 2 of 3" in capsys.readouterr().out
    assert sorted(path.name for path in last.parent.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_a_run_resumes_from_the_best_checkpoint_if_the_last_one_is_damaged(configure, monkeypatch, capsys):
    cfg, folder = run_interrupted_in_the_third_epoch(configure, monkeypatch)
    last, best = (folder / "checkpoints" / f"{which}.ckpt" for which in ("last", "best"))
    last.write_bytes(last.read_bytes()[:1000])
    record = train(cfg)
    assert f"warning: {last} is not a complete checkpoint: it is truncated" in capsys.readouterr().out
    assert record["status"] == "done"
    assert [row["epoch"] for row in rows_of(folder)] == ["1", "2", "3"]
    for path in (last, best):
        path.write_bytes(b"")
    (folder / "result.json").write_text(json.dumps(record | {"status": "running"}))
    with pytest.raises(UserError, match=f"{best} is not a complete checkpoint"):
        train(cfg)


def test_the_plateau_schedule_survives_an_interruption(configure, monkeypatch):
    """Its step after an epoch is saved in that epoch's checkpoint."""
    arguments = ("scheduler=plateau", "scheduler.patience=0", "optimizer.lr=1e-6", "data.limit=128", "logger=none")
    uninterrupted = configure(*arguments, "trainer.max_epochs=4")
    learning_rates = [row["lr"] for row in rows_of(folder_of(uninterrupted, train(uninterrupted)))]
    assert float(learning_rates[-1]) < 0.5 * float(learning_rates[0])
    interrupted = configure(*arguments, "trainer.max_epochs=4", "name=interrupted")
    interrupt_in_the_second_epoch(interrupted, monkeypatch)
    assert [row["lr"] for row in rows_of(folder_of(interrupted, train(interrupted)))] == learning_rates
