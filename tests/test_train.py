"""Whole runs: what they leave behind, how they resume, and what they do when something is wrong."""

import csv
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import lightning as L
import pytest
import torch

from cnnlab import build, nets
from cnnlab.augment.pipeline import normalise
from cnnlab.config import compose
from cnnlab.errors import UserError
from cnnlab.learn.classifier import Diverged, ImageClassifier
from cnnlab.runs.training import train
from tests.conftest import REPOSITORY, write_tree


@pytest.fixture
def configure(tmp_path, data_root):
    """Composes a run with its logs in `tmp_path`."""

    def make(*overrides: str):
        places = [f"log_dir={tmp_path / 'logs'}", f"data.root={data_root}", "data.download=false"]
        return compose("train", [*places, *overrides])

    return make


def folder_of(cfg, record) -> Path:
    return Path(cfg.log_dir) / cfg.name / record["run_id"]


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as stream:
        return list(csv.DictReader(stream))


QUICK = ("trainer.max_epochs=2", "data.limit=128", "logger=none")


def test_lenet5_learns_the_digits_and_leaves_a_whole_folder(configure):
    cfg = configure("trainer.max_epochs=10")  # of the default's 40
    record = train(cfg)
    assert record["test/acc"] >= 0.97
    folder = folder_of(cfg, record)
    for name in (
        "config.yaml", "overrides.yaml", "checkpoints/best.ckpt", "checkpoints/last.ckpt", "metrics.csv",
        "figures/curves.png", "train.log", "result.json",
    ):  # fmt: skip
        assert (folder / name).stat().st_size > 0, name
    assert list(folder.glob("events.out.tfevents.*"))
    assert json.loads((folder / "result.json").read_text()) == record
    assert [int(row["epoch"]) for row in rows_of(folder)] == list(range(1, 11))
    assert record["status"] == "done"
    assert record["parameters"] == 61_706
    assert record["macs"] == 117_600 + 240_000 + 48_000 + 10_080 + 840
    assert record["limits"] == {}
    assert record["data"] | {"source": "", "fingerprint": ""} == {
        "name": "digits", "source": "", "fingerprint": "", "train": 1293, "val": 144, "test": 360,
    }  # fmt: skip
    best = max(rows_of(folder), key=lambda row: (float(row["val/acc"]), -float(row["val/loss"])))
    assert record["best_epoch"] == int(best["epoch"])
    assert record["val/acc"] == pytest.approx(float(best["val/acc"]))


def test_a_checkpoint_is_plain_data_and_rebuilds_its_network(configure):
    from cnnlab.runs.checkpoint import read_checkpoint
    from cnnlab.runs.evaluation import trained_network

    cfg = configure("model=mlp", *QUICK)
    folder = folder_of(cfg, train(cfg))
    checkpoint = read_checkpoint(folder / "checkpoints" / "best.ckpt")
    assert checkpoint["cnnlab"]["network"]["name"] == "mlp"
    assert checkpoint["cnnlab"]["classes"] == list("0123456789")
    assert trained_network(checkpoint)(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_a_finished_run_is_told_and_not_trained_again(configure, capsys):
    cfg = configure(*QUICK)
    first = train(cfg)
    capsys.readouterr()
    written = (folder_of(cfg, first) / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    assert train(cfg) == first
    assert "this run is done; fresh=true trains it again; made with commit " in capsys.readouterr().out
    assert (folder_of(cfg, first) / "checkpoints" / "last.ckpt").stat().st_mtime_ns == written


def test_the_test_images_stay_unread_until_asked_for(configure, monkeypatch, capsys):
    expected = train(configure(*QUICK, f"log_dir={configure().log_dir}-whole"))
    capsys.readouterr()
    unread = train(configure(*QUICK, "test=false"))
    assert "test accuracy" not in capsys.readouterr().out
    assert unread["status"] == "done"
    assert not [name for name in unread if name.startswith("test/")]
    monkeypatch.setattr(ImageClassifier, "training_step", None)  # there is nothing left to train
    assert train(configure(*QUICK, "test=false")) == unread
    read = train(configure(*QUICK))
    same = ("run_id", "val/acc", "test/acc", "test/acc_last", "test/loss", "epochs")
    assert {name: read[name] for name in same} == {name: expected[name] for name in same}


def test_fresh_trains_again_to_the_same_result_and_another_seed_to_another(configure):
    cfg = configure(*QUICK)
    first = train(cfg)
    again = train(configure(*QUICK, "fresh=true"))
    assert again["run_id"] == first["run_id"]
    assert again["test/loss"] == first["test/loss"]
    assert len(rows_of(folder_of(cfg, again))) == 2
    assert train(configure(*QUICK, "seed=1"))["test/loss"] != first["test/loss"]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


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
def test_whitening_muon_and_alternating_flips_go_on_to_the_same_bits(configure, monkeypatch, small_datasets, precision):
    arguments = (*FAST, f"data.root={small_datasets}", f"trainer.precision={precision}")
    whole = configure(*arguments)
    whole_folder = folder_of(whole, train(whole))
    cut = configure(*arguments, "name=cut")
    interrupt_in_the_second_epoch(cut, monkeypatch)
    folders = (whole_folder, folder_of(cut, train(cut)))
    a, b = (weights(folder / "checkpoints" / "last.ckpt") for folder in folders)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    timeless = [[row | {"images_per_second": "", "seconds": ""} for row in rows_of(folder)] for folder in folders]
    assert timeless[0] == timeless[1]

    data = build.datamodule(whole)
    net = nets.fastnet(widths=(8, 8, 8))
    net.whiten(normalise(data.train[torch.arange(len(data.train))][0], data.facts))
    torch.testing.assert_close(a["net.whitening.weight"], net.whitening.weight)  # of the training images, to the end


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(configure, data_root, tmp_path):
    """Dropout, augmentation, averaging, gradients: everything that draws, has a state or is in the history."""
    whole = configure(*KILLED)
    whole_folder = folder_of(whole, train(whole))

    logs = tmp_path / "killed"
    arguments = [*KILLED, f"log_dir={logs}", f"data.root={data_root}", "data.download=false"]
    # Steps slow enough to be hit in the middle of the third epoch.
    script = (
        "import runpy, sys, time; sys.path.insert(0, 'src')\n"
        "from cnnlab.learn.classifier import ImageClassifier as C\n"
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
    killed_folder = logs / resumed.name / whole_folder.name
    assert json.loads((killed_folder / "result.json").read_text())["status"] == "running"
    record = train(resumed)
    assert record["run_id"] == whole_folder.name
    folders = (whole_folder, killed_folder)
    for which in ("best", "last"):
        a, b = (weights(folder / "checkpoints" / f"{which}.ckpt") for folder in folders)
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)
    timeless = [[row | {"images_per_second": "", "seconds": ""} for row in rows_of(f)] for f in folders]
    assert timeless[0] == timeless[1]
    for tag in ("train/loss", "gradient/hidden.0"):
        assert scalars(killed_folder, tag) == scalars(whole_folder, tag)
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
def test_a_run_cut_off_before_its_test_is_only_tested(configure, end):
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


def test_without_validation_the_last_weights_are_the_result(configure):
    cfg = configure(*QUICK, "data.val_size=0")
    record = train(cfg)
    assert record["best_epoch"] is None
    assert record["val/acc"] is None
    assert record["test/acc"] == record["test/acc_last"]
    assert not (folder_of(cfg, record) / "checkpoints" / "best.ckpt").exists()


@pytest.mark.parametrize(("rate", "best_epoch", "tests"), [("0.001", 2, 1), ("0", 1, 2)])
def test_the_same_weights_are_not_tested_twice(configure, monkeypatch, rate, best_epoch, tests):
    seen, test = [], L.Trainer.test
    monkeypatch.setattr(L.Trainer, "test", lambda *a, **k: (seen.append(1), test(*a, **k))[1])
    record = train(configure("trainer.max_epochs=2", f"optimizer.lr={rate}", "data.limit=256", "logger=none"))
    assert (record["best_epoch"], len(seen)) == (best_epoch, tests)


def test_max_steps_ends_with_a_validation(configure):
    cfg = configure("trainer.max_steps=3", "logger=none")
    record = train(cfg)
    (row,) = rows_of(folder_of(cfg, record))
    assert row["step"] == "3"
    assert row["val/acc"]
    assert float(row["lr"]) < 0.1 * cfg.optimizer.lr  # the schedule ended with the run


def test_early_stopping_ends_and_is_tested(configure):
    cfg = configure("callbacks=early_stopping", "callbacks.early_stopping.patience=1", "optimizer.lr=0", "logger=none")
    assert train(cfg)["epochs"] == 2


def test_a_diverged_run_says_so_keeps_its_last_good_checkpoint_and_is_retried_only_if_asked(
    configure, capsys, monkeypatch
):
    cfg = configure(*QUICK)
    step = ImageClassifier.training_step

    def breaks(self, batch, batch_idx):
        if self.current_epoch == 1:
            torch.nn.init.constant_(self.net.f6.weight, float("nan"))
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(ImageClassifier, "training_step", breaks)
        with pytest.raises(Diverged, match=r"the training loss is no longer finite in epoch 2 .*optimizer.lr"):
            train(cfg)
    (folder,) = (Path(cfg.log_dir) / cfg.name).iterdir()
    assert f"the last good checkpoint is {folder}/checkpoints/last.ckpt" in capsys.readouterr().out
    assert json.loads((folder / "result.json").read_text())["status"] == "failed"
    assert all(value.isfinite().all() for value in weights(folder / "checkpoints" / "last.ckpt").values())
    with pytest.raises(UserError, match="this run failed before: the training loss is no longer finite"):
        train(cfg)
    assert train(configure(*QUICK, "retry=true"))["status"] == "done"


def test_a_run_at_chance_warns(configure, capsys):
    train(configure(*QUICK, "optimizer.lr=0"))
    assert "warning: after one epoch val/acc is" in capsys.readouterr().out


def test_reflections_are_left_out_of_digits_and_the_facts_say_so(configure, capsys):
    train(configure(*QUICK, "augment=crop_flip"))
    assert "RandomCrop; left out: RandomFlip, as a reflection changes what is shown" in capsys.readouterr().out


def test_limits_are_marked_in_facts_and_record(configure, capsys):
    record = train(configure(*QUICK))
    assert "128 training, 128 validation, 128 test (limited by data.limit=128)" in capsys.readouterr().out
    assert record["limits"] == {"data.limit": 128}
    assert (record["data"]["train"], record["data"]["val"], record["data"]["test"]) == (128, 128, 128)


def test_a_second_process_is_refused_while_the_first_goes_on(configure):
    cfg = configure(*QUICK)
    folder = folder_of(cfg, train(cfg))
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match=f"another process is training in {folder}"):
            train(configure(*QUICK, "fresh=true"))
    assert (folder / "checkpoints" / "last.ckpt").exists()


def test_a_folder_that_cannot_be_written_is_named(configure, tmp_path):
    (tmp_path / "logs").write_text("a file in the way")
    with pytest.raises(UserError, match=r"the run folder .* cannot be written: Not a directory"):
        train(configure(*QUICK))


def interrupt_in_the_second_epoch(cfg, monkeypatch) -> None:
    interrupt_in(1, cfg, monkeypatch)


def interrupt_in(epoch: int, cfg, monkeypatch) -> None:
    """As Ctrl-C does; `epoch` counts from 0."""
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
    signal.signal(signal.SIGINT, handler)  # Lightning leaves it ignored


def test_ctrl_c_keeps_the_last_epoch_and_the_same_command_goes_on(configure, capsys, monkeypatch):
    cfg = configure(*QUICK)
    interrupt_in_the_second_epoch(cfg, monkeypatch)
    (folder,) = (Path(cfg.log_dir) / cfg.name).iterdir()
    assert json.loads((folder / "result.json").read_text())["status"] == "interrupted"
    train(cfg)
    assert "resuming after epoch 1 of 2" in capsys.readouterr().out
    assert [row["epoch"] for row in rows_of(folder)] == ["1", "2"]


@pytest.mark.slow
def test_a_full_disk_is_told_and_the_last_whole_checkpoint_stays(configure, monkeypatch):
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
    assert json.loads((folder / "result.json").read_text())["status"] == "failed"


def cut_off_in_the_third_epoch(configure, monkeypatch):
    """The configuration and the folder of a run of which two epochs are kept."""
    cfg = configure("data.limit=128", "trainer.max_epochs=3", "logger=none")
    interrupt_in(2, cfg, monkeypatch)
    (folder,) = (Path(cfg.log_dir) / cfg.name).iterdir()
    return cfg, folder


def test_what_a_kill_left_of_a_checkpoint_is_not_read(configure, monkeypatch, capsys):
    cfg, folder = cut_off_in_the_third_epoch(configure, monkeypatch)
    last = folder / "checkpoints" / "last.ckpt"
    last.with_suffix(".part").write_bytes(last.read_bytes()[:1000])
    train(cfg)
    assert "resuming after epoch 2 of 3" in capsys.readouterr().out
    assert sorted(path.name for path in last.parent.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_where_the_last_checkpoint_is_damaged_the_best_is_used(configure, monkeypatch, capsys):
    cfg, folder = cut_off_in_the_third_epoch(configure, monkeypatch)
    last, best = (folder / "checkpoints" / f"{which}.ckpt" for which in ("last", "best"))
    last.write_bytes(last.read_bytes()[:1000])
    record = train(cfg)
    assert f"warning: {last} is not a whole checkpoint: it is truncated" in capsys.readouterr().out
    assert record["status"] == "done"
    assert [row["epoch"] for row in rows_of(folder)] == ["1", "2", "3"]
    for path in (last, best):
        path.write_bytes(b"")
    (folder / "result.json").write_text(json.dumps(record | {"status": "running"}))
    with pytest.raises(UserError, match=f"{best} is not a whole checkpoint"):
        train(cfg)


def test_absent_data_leaves_nothing_behind(configure, tmp_path):
    with pytest.raises(UserError, match="cifar10 was not found whole"):
        train(configure("data=cifar10", f"data.root={tmp_path / 'nowhere'}"))
    with pytest.raises(UserError, match="mnist was not found whole"):
        train(
            configure(
                "data=mnist",
                f"data.root={tmp_path / 'nowhere'}",
                "data.download=true",
                "data.mirror=http://127.0.0.1:9",
            )
        )
    assert not list(tmp_path.iterdir())


IMPOSSIBLE = {
    "tta=flip": "tta must be none or shift for pictures whose reflection is another thing, got 'flip'",
    "data.image_size=8": "lenet5 needs images of at least 12 pixels, got 8",
    "model=cnn model.blocks=6": "cnn with blocks=6 needs images of at least 64 pixels, got 28",
    "model=cnn model.blocks=two": "model cannot be made with blocks='two', .*not supported between",
    "model=resnet18 model.stem=tiny": r"stem must be one of \['auto', 'imagenet', 'small'\], got 'tiny'",
    "model.activation=gelu": r"activation must be one of \['tanh', 'sigmoid', 'relu'\], got 'gelu'",
    "data.batch_size=5000": "data.batch_size must be at most the 1,293 training images, got 5,000",
    "data.val_size=2000": "data.val_size must be below the 1,437 training images of digits, got 2,000",
}


@pytest.mark.parametrize("arguments", IMPOSSIBLE)
def test_what_cannot_be_built_is_told_and_leaves_nothing_behind(arguments, configure, tmp_path):
    with pytest.raises(UserError, match=IMPOSSIBLE[arguments]):
        train(configure(*arguments.split()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("argument", "batches"),
    [("trainer.limit_train_batches=0.01", "40 batches"), ("trainer.limit_eval_batches=0.5", "1 batch")],
)
def test_a_share_of_the_batches_that_is_none_is_told(argument, batches, configure, tmp_path):
    with pytest.raises(UserError, match=f"{argument} of {batches} is none; take more, or a number"):
        train(configure(argument))
    assert not list(tmp_path.iterdir())


def test_other_pictures_are_another_run(configure, tmp_path):
    folders = []
    for i in (0, 1):
        root = tmp_path / f"pictures{i}"
        write_tree(root, ["dark", "light"], per_class=20, size=(24, 20), mode="RGB", seed=i)
        arguments = ("data=image_folder", f"data.root={root}", "data.batch_size=8", "data.image_size=20")
        cfg = configure(*QUICK, *arguments)
        folders.append(folder_of(cfg, train(cfg)))
    assert folders[0].parent == folders[1].parent
    assert folders[0] != folders[1]


def test_a_plateaus_state_survives_an_interruption(configure, monkeypatch):
    """Its step after an epoch belongs to that epoch's checkpoint."""
    arguments = ("scheduler=plateau", "scheduler.patience=0", "optimizer.lr=1e-6", "data.limit=128", "logger=none")
    whole = configure(*arguments, "trainer.max_epochs=4")
    rates = [row["lr"] for row in rows_of(folder_of(whole, train(whole)))]
    assert float(rates[-1]) < 0.5 * float(rates[0])
    cut = configure(*arguments, "trainer.max_epochs=4", "name=cut")
    interrupt_in_the_second_epoch(cut, monkeypatch)
    assert [row["lr"] for row in rows_of(folder_of(cut, train(cut)))] == rates


def test_the_curves_are_served_by_tensorboard(configure):
    cfg = configure("trainer.max_epochs=2", "data.limit=128")
    record = train(cfg)
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", cfg.log_dir, "--port", "0", "--host", "127.0.0.1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert server.stderr is not None
        line = next(line for line in server.stderr if "http://" in line)
        origin = line[line.index("http://") :].split()[0].rstrip("/")
        run = f"{cfg.name}/{record['run_id']}"
        tags = wait_for(f"{origin}/data/plugin/scalars/tags", run)[run]
        for tag in (
            "train/loss",
            "train/acc",
            "val/loss",
            "val/acc",
            "lr",
            "images_per_second",
            "val/acc_best",
            "test/acc",
        ):
            assert tag in tags
        query = urllib.parse.urlencode({"run": run, "tag": "val/acc"})
        points = fetch(f"{origin}/data/plugin/scalars/scalars?{query}")
        assert [value for _, _, value in points] == pytest.approx(
            [float(row["val/acc"]) for row in rows_of(folder_of(cfg, record))]
        )
        assert "inputs/augmented" in fetch(f"{origin}/data/plugin/images/tags")[run]
        assert fetch(f"{origin}/data/plugin/graphs/info")[run]["run_graph"]
        experiment = fetch(f"{origin}/data/plugin/hparams/experiment", b'{"experimentName": ""}')
        names = {info["name"] for info in experiment["hparamInfos"]}
        assert names >= {"model", "model.pooling", "optimizer.lr", "seed"}
    finally:
        server.terminate()
        server.communicate(timeout=20)


def fetch(url: str, body: bytes | None = None):
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"} if body else {})
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


def wait_for(url: str, key: str):
    """The server answers before it has read the logs."""
    deadline = time.monotonic() + 90
    while key not in (content := fetch(url)):
        assert time.monotonic() < deadline, content
        time.sleep(0.2)
    return content


@pytest.mark.realdata
def test_lenet5_reaches_its_accuracy_on_mnist_in_five_epochs(configure, real_root):
    arguments = ("model=lenet5", "data=mnist", f"data.root={real_root}", "trainer.max_epochs=5", "logger=none")
    assert train(configure(*arguments))["test/acc"] >= 0.985


@pytest.mark.slow
@pytest.mark.realdata
def test_resnet18_reaches_its_accuracy_on_cifar10_in_three_epochs(configure, real_root):
    arguments = ("model=resnet18", "data=cifar10", f"data.root={real_root}", "trainer.max_epochs=3", "logger=none")
    assert train(configure(*arguments))["val/acc"] >= 0.75
