"""Complete runs: their results and their files."""

import csv
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import lightning as L
import pytest
import torch

from cnnlab.runs.folder import RunFolder
from cnnlab.runs.locate import locate_run
from cnnlab.runs.run import train
from cnnlab.training.callbacks import display
from cnnlab.training.classifier import ImageClassifier


def folder_of(cfg, record) -> Path:
    folder = locate_run(cfg.log_dir, cfg.name, record["run_id"])
    assert folder is not None
    return folder


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as stream:
        return list(csv.DictReader(stream))


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


QUICK = ("trainer.max_epochs=2", "data.limit=128", "logger=none")


def test_lenet5_learns_the_digits_and_saves_a_complete_run_folder(configure):
    cfg = configure("trainer.max_epochs=10")  # the default is 40
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
    from cnnlab.runs.trained_network import trained

    cfg = configure("model=mlp", *QUICK)
    folder = folder_of(cfg, train(cfg))
    checkpoint = read_checkpoint(folder / "checkpoints" / "best.ckpt")
    assert checkpoint["cnnlab"]["network"]["name"] == "mlp"
    assert checkpoint["cnnlab"]["classes"] == list("0123456789")
    assert trained(checkpoint)(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_a_complete_run_is_reported_and_not_trained_again(configure, capsys):
    cfg = configure(*QUICK)
    first = train(cfg)
    capsys.readouterr()
    written = (folder_of(cfg, first) / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    assert train(cfg) == first
    assert (
        "this run is already complete; use fresh=true to train it again; made with commit " in capsys.readouterr().out
    )
    assert (folder_of(cfg, first) / "checkpoints" / "last.ckpt").stat().st_mtime_ns == written


def test_a_run_can_be_tested_later(configure, monkeypatch, capsys):
    expected = train(configure(*QUICK, f"log_dir={configure().log_dir}-tested"))
    capsys.readouterr()
    untested = train(configure(*QUICK, "test=false"))
    assert "test accuracy" not in capsys.readouterr().out
    assert untested["status"] == "done"
    assert not [name for name in untested if name.startswith("test/")]
    monkeypatch.setattr(ImageClassifier, "training_step", None)  # training again would fail
    assert train(configure(*QUICK, "test=false")) == untested
    tested = train(configure(*QUICK))
    same = ("run_id", "val/acc", "test/acc", "test/acc_last", "test/loss", "epochs")
    assert {name: tested[name] for name in same} == {name: expected[name] for name in same}


def test_fresh_trains_again_to_the_same_result_and_another_seed_changes_it(configure):
    cfg = configure(*QUICK)
    first = train(cfg)
    again = train(configure(*QUICK, "fresh=true"))
    assert again["run_id"] == first["run_id"]
    assert again["test/loss"] == first["test/loss"]
    assert len(rows_of(folder_of(cfg, again))) == 2
    assert train(configure(*QUICK, "seed=1"))["test/loss"] != first["test/loss"]


def test_a_compiled_network_learns_the_same_and_has_the_same_parameter_names(configure, monkeypatch):
    compiler = Mock(side_effect=partial(torch.compile, backend="eager"))  # needs no C++ compiler
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


@pytest.mark.parametrize(("lr", "best_epoch", "tests"), [("0.001", 2, 1), ("0", 1, 2)])
def test_the_same_weights_are_not_tested_twice(configure, monkeypatch, lr, best_epoch, tests):
    seen, test = [], L.Trainer.test
    monkeypatch.setattr(L.Trainer, "test", lambda *a, **k: (seen.append(1), test(*a, **k))[1])
    record = train(configure("trainer.max_epochs=2", f"optimizer.lr={lr}", "data.limit=256", "logger=none"))
    assert (record["best_epoch"], len(seen)) == (best_epoch, tests)


def test_max_steps_ends_with_a_validation(configure):
    cfg = configure("trainer.max_steps=3", "logger=none")
    record = train(cfg)
    (row,) = rows_of(folder_of(cfg, record))
    assert row["step"] == "3"
    assert row["val/acc"]
    assert float(row["lr"]) < 0.1 * cfg.optimizer["lr"]  # the schedule ended with the run


def test_early_stopping_ends_training(configure):
    cfg = configure("callbacks=early_stopping", "callbacks.early_stopping.patience=1", "optimizer.lr=0", "logger=none")
    assert train(cfg)["epochs"] == 2


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_a_run_at_chance_warns_and_suggests_batch_norm_if_the_network_has_none(model, configure, capsys, monkeypatch):
    monkeypatch.setattr(display, "FEW_STEPS", 0)
    train(configure(*QUICK, "optimizer.lr=0", f"model={model}"))
    shown = capsys.readouterr().out
    assert "warning: after one epoch val/acc is" in shown
    assert ("a network with batch norm" in shown) is (model == "mlp")


def test_a_short_run_at_chance_says_that_it_is_short(configure, capsys):
    train(configure(*QUICK, "optimizer.lr=0", "data.batch_size=32"))
    shown = capsys.readouterr().out
    assert "; raise trainer.max_epochs or lower data.batch_size, as a run of " in shown
    assert "optimizer.lr, or" not in shown


def test_few_validation_images_cause_no_warning_of_chance(configure, capsys):
    """The accuracy on 8 images varies too much to distinguish it from chance."""
    train(configure(*QUICK, "data.val_size=8"))
    assert "warning" not in capsys.readouterr().out


def test_flips_are_left_out_for_digits_and_reported(configure, capsys):
    train(configure(*QUICK, "augment=crop_flip"))
    assert "RandomCrop; left out: RandomFlip, as a reflection changes the label" in capsys.readouterr().out


def test_limits_are_reported_and_recorded(configure, capsys):
    record = train(configure(*QUICK))
    assert "128 training, 128 validation, 128 test (limited by data.limit=128)" in capsys.readouterr().out
    assert record["limits"] == {"data.limit": 128}
    assert (record["data"]["train"], record["data"]["val"], record["data"]["test"]) == (128, 128, 128)


@pytest.mark.realdata
def test_lenet5_reaches_its_accuracy_on_mnist_in_five_epochs(configure, real_root):
    arguments = ("model=lenet5", "data=mnist", f"data.root={real_root}", "trainer.max_epochs=5", "logger=none")
    assert train(configure(*arguments))["test/acc"] >= 0.985


@pytest.mark.slow
@pytest.mark.realdata
def test_resnet18_reaches_its_accuracy_on_cifar10_in_three_epochs(configure, real_root):
    arguments = ("model=resnet18", "data=cifar10", f"data.root={real_root}", "trainer.max_epochs=3", "logger=none")
    assert train(configure(*arguments))["val/acc"] >= 0.75
