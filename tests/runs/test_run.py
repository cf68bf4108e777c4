"""Whole runs: what they leave behind, and what they do when something is wrong."""

import csv
import fcntl
import json
import shutil
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import lightning as L
import pytest
import torch

from cnnlab.errors import Diverged, UserError
from cnnlab.runs import run
from cnnlab.runs.folder import RunFolder
from cnnlab.runs.run import train
from cnnlab.training.classifier import ImageClassifier
from tests.conftest import write_tree


def folder_of(cfg, record) -> Path:
    return Path(cfg.log_dir) / cfg.name / record["run_id"]


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as stream:
        return list(csv.DictReader(stream))


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


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
    assert RunFolder(folder).read() == record
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
    assert (
        "this run is already complete; use fresh=true to train it again; made with commit " in capsys.readouterr().out
    )
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


def test_a_compiled_network_learns_the_same_and_has_the_same_names(configure, monkeypatch):
    compiler = Mock(side_effect=partial(torch.compile, backend="eager"))  # which needs no compiler of C++
    monkeypatch.setattr(torch, "compile", compiler)
    arguments = [*QUICK, "callbacks=averaging", "data.limit=64", "trainer.max_epochs=1"]
    cfg = configure(*arguments, "trainer.compile=true")
    plain, compiled = train(configure(*arguments)), train(cfg)
    compiler.assert_called_once()
    assert compiled["run_id"] != plain["run_id"]
    assert compiled["test/loss"] == pytest.approx(plain["test/loss"], rel=1e-4)
    last = [weights(folder_of(cfg, record) / "checkpoints" / "last.ckpt") for record in (plain, compiled)]
    assert list(last[0]) == list(last[1])


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


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (RuntimeError("no compiler"), RuntimeError),
        (UserError("no room"), UserError),
        (OSError("no disk"), UserError),
    ],
    ids=["machine", "user", "system"],
)
def test_what_the_machine_did_is_no_failure_of_the_run(error, raised, configure, monkeypatch, tmp_path):
    """The same command goes on once the machine is right again; only what diverged would do so again."""
    cfg = configure(*QUICK)
    step = ImageClassifier.training_step

    def breaks(self, batch, batch_idx):
        if self.current_epoch == 1:
            raise error
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(ImageClassifier, "training_step", breaks)
        with pytest.raises(raised):
            train(cfg)
    (folder,) = (Path(cfg.log_dir) / cfg.name).iterdir()
    record = RunFolder(folder).read()
    assert record["status"] == "interrupted"
    assert str(error) in record["error"]
    assert train(cfg)["status"] == "done"


def test_figures_and_hyperparameters_that_fail_cost_no_record(configure, monkeypatch, capsys):
    def fails(*_):
        raise ValueError("no font")

    monkeypatch.setattr(run, "draw_curves", fails)
    monkeypatch.setattr(run, "log_hyperparameters", fails)
    cfg = configure(*QUICK)
    record = train(cfg)
    assert record["status"] == "done"
    assert RunFolder(folder_of(cfg, record)).read() == record
    assert capsys.readouterr().out.count("could not be written: ValueError: no font") == 2


def test_a_kill_while_a_finished_run_is_emptied_leaves_no_finished_run(configure, monkeypatch):
    cfg = configure(*QUICK)
    train(cfg)

    def is_killed(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", is_killed)
        with pytest.raises(KeyboardInterrupt):
            train(configure(*QUICK, "fresh=true"))
    assert train(cfg)["status"] == "done"
    (folder,) = (Path(cfg.log_dir) / cfg.name).iterdir()
    assert (folder / "checkpoints" / "last.ckpt").exists()


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_a_run_at_chance_warns_and_advises_batch_norm_where_there_is_none(model, configure, capsys):
    train(configure(*QUICK, "optimizer.lr=0", f"model={model}"))
    shown = capsys.readouterr().out
    assert "warning: after one epoch val/acc is" in shown
    assert ("a network with batch norm" in shown) is (model == "mlp")


def test_few_validation_images_bring_no_warning_of_chance(configure, capsys):
    """Of 8 images, 6 right ones are within three standard deviations of chance, and no reason for a warning."""
    train(configure(*QUICK, "data.val_size=8"))
    assert "warning" not in capsys.readouterr().out


def test_a_clusters_variables_change_nothing(configure, monkeypatch, tmp_path):
    """Lightning would want four processes, and begin from the checkpoint of another run."""
    other = configure(*QUICK, "seed=1")
    other_last = folder_of(other, train(other)) / "checkpoints" / "last.ckpt"
    plain = configure(*QUICK)
    expected = weights(folder_of(plain, train(plain)) / "checkpoints" / "last.ckpt")
    (tmp_path / "cwd").mkdir()
    shutil.copyfile(other_last, tmp_path / "cwd" / "hpc_ckpt_1.ckpt")
    monkeypatch.chdir(tmp_path / "cwd")
    cluster = {"JOB_ID": "7", "NTASKS": "4", "JOB_NAME": "train", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}
    for name, value in cluster.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    within = configure(*QUICK, "name=within")
    found = weights(folder_of(within, train(within)) / "checkpoints" / "last.ckpt")
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_reflections_are_left_out_of_digits_and_the_facts_say_so(configure, capsys):
    train(configure(*QUICK, "augment=crop_flip"))
    assert "RandomCrop; left out: RandomFlip, as a reflection changes the label" in capsys.readouterr().out


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


def test_without_locks_in_the_file_system_a_run_warns_and_trains(configure, monkeypatch, capsys):
    def unsupported(self, *_, **__):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr("filelock.FileLock._acquire", unsupported)
    folder = RunFolder(Path(configure().log_dir) / "a" / "b")
    with folder.hold():
        assert folder.checkpoints.is_dir()
    assert "has no locks; do not train the same run twice at a time" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_named(configure, tmp_path):
    (tmp_path / "logs").write_text("a file in the way")
    with pytest.raises(UserError, match=r"the run folder .* cannot be written: Not a directory"):
        train(configure(*QUICK))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_absent_gpu_is_told_before_anything_is_read(configure, tmp_path):
    with pytest.raises(UserError, match=r"trainer.accelerator=gpu needs a CUDA device"):
        train(configure("trainer=gpu", "data=cifar10", f"data.root={tmp_path / 'nowhere'}"))


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
    with pytest.raises(UserError, match=f"{argument} of {batches} is none; use more, or a number"):
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


@pytest.mark.realdata
def test_lenet5_reaches_its_accuracy_on_mnist_in_five_epochs(configure, real_root):
    arguments = ("model=lenet5", "data=mnist", f"data.root={real_root}", "trainer.max_epochs=5", "logger=none")
    assert train(configure(*arguments))["test/acc"] >= 0.985


@pytest.mark.slow
@pytest.mark.realdata
def test_resnet18_reaches_its_accuracy_on_cifar10_in_three_epochs(configure, real_root):
    arguments = ("model=resnet18", "data=cifar10", f"data.root={real_root}", "trainer.max_epochs=3", "logger=none")
    assert train(configure(*arguments))["val/acc"] >= 0.75
