"""Evaluation, and reading checkpoints from untrusted sources."""

import csv
import json
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from cnnlab.commands.eval import run as evaluate
from cnnlab.config.compose import compose
from cnnlab.errors import UserError
from cnnlab.runs.checkpoint import read_checkpoint
from cnnlab.runs.evaluation import score
from cnnlab.runs.locate import PRETRAINED
from cnnlab.runs.run import train
from cnnlab.runs.trained_network import trained
from tests.runs.test_run import folder_of


@pytest.fixture(scope="module")
def run(tmp_path_factory, data_root):
    """A trained LeNet-5: its record and its best checkpoint."""
    logs = tmp_path_factory.mktemp("logs")
    cfg = compose("train", [f"log_dir={logs}", f"data.root={data_root}", "trainer.max_epochs=8", "logger=none"])
    record = train(cfg)
    return record, folder_of(cfg, record) / "checkpoints" / "best.ckpt"


def configure(checkpoint: Path, data_root: Path, *overrides: str):
    return compose("eval", [f"checkpoint={checkpoint}", f"data.root={data_root}", *overrides])


def test_evaluation_reproduces_and_plots_the_numbers_of_the_record(run, data_root, capsys):
    record, checkpoint = run
    evaluation = evaluate(configure(checkpoint, data_root))
    out = capsys.readouterr().out
    assert evaluation.accuracy == pytest.approx(record["test/acc"])
    assert int(evaluation.confusion.sum()) == 360
    assert evaluation.top5 is not None
    assert evaluation.top5 >= evaluation.accuracy
    for part in ("accuracy", "top-5 accuracy", "class", "images", "predicted"):
        assert part in out
    figures = checkpoint.parents[1] / "figures"
    assert (figures / "confusion_test.png").stat().st_size > 10_000
    written = json.loads((figures / "evaluation_test.json").read_text())
    assert written["accuracy"] == evaluation.accuracy
    assert list(written["by_class"]) == list("0123456789")


def test_the_validation_split_is_that_of_the_run(run, data_root, tmp_path):
    record, checkpoint = run
    evaluation = evaluate(configure(checkpoint, data_root, "split=val", f"figures={tmp_path}"))
    assert evaluation.accuracy == pytest.approx(record["val/acc"])
    assert (tmp_path / "confusion_val.png").exists()


def test_the_views_are_those_of_the_run_unless_tta_is_given(run, data_root, tmp_path, capsys, monkeypatch):
    record, checkpoint = run
    assert record["tta"] == "none"
    views = []
    monkeypatch.setattr("cnnlab.runs.evaluation.logits_of_views", lambda net, x, tta: views.append(tta) or net(x))
    evaluate(configure(checkpoint, data_root, f"figures={tmp_path}"))
    evaluate(configure(checkpoint, data_root, "tta=shift", f"figures={tmp_path}"))
    assert "views           shift" in capsys.readouterr().out
    assert json.loads((tmp_path / "evaluation_test.json").read_text())["tta"] == "shift"
    content = torch.load(checkpoint, weights_only=True)
    content["cnnlab"]["tta"] = "shift"
    torch.save(content, tmp_path / "shift.ckpt")
    evaluate(configure(tmp_path / "shift.ckpt", data_root))
    assert views == ["none", "shift", "shift"]
    with pytest.raises(UserError, match="tta must be none or shift"):
        evaluate(configure(checkpoint, data_root, "tta=flip_shift"))


def test_the_prediction_for_each_image_is_kept(run, data_root, tmp_path):
    evaluation = evaluate(configure(run[1], data_root, f"output={tmp_path / 'e.json'}", f"figures={tmp_path}"))
    rows = list(csv.DictReader((tmp_path / "predictions_test.csv").read_text().splitlines()))
    assert [int(row["index"]) for row in rows] == list(range(360))
    assert sum(row["label"] == row["predicted"] for row in rows) == int(evaluation.confusion.diagonal().sum())
    assert all(0.1 < float(row["probability"]) <= 1 for row in rows)


def test_two_networks_are_compared_on_the_same_images(run, data_root, tmp_path, capsys):
    content = torch.load(run[1], weights_only=True)
    for name, weight in content["state_dict"].items():
        content["state_dict"][name] = torch.where(weight.abs() < 0.05, 0, weight)
    torch.save(content, tmp_path / "pruned.ckpt")
    pair = f"[{run[1]},{tmp_path / 'pruned.ckpt'}]"
    cfg = compose("eval", [f"checkpoint={pair}", f"data.root={data_root}", f"figures={tmp_path}"])
    assert evaluate(cfg).accuracy == pytest.approx(run[0]["test/acc"])
    assert "McNemar's test  p " in capsys.readouterr().out
    found = json.loads((tmp_path / "comparison_test.json").read_text())
    counts = [found[name] for name in ("both", "only_first", "only_second", "neither")]
    accuracies = [network["accuracy"] for network in found["networks"]]
    assert sum(counts) == 360
    assert found["difference"] == pytest.approx(accuracies[0] - accuracies[1], abs=1e-6)
    rows = list(csv.DictReader((tmp_path / "comparison_test.csv").read_text().splitlines()))
    assert sum(row["predicted_a"] == row["predicted_b"] for row in rows) == round(360 * found["agreement"])


def test_networks_of_different_data_are_not_compared(run, small_datasets, tmp_path):
    content = torch.load(run[1], weights_only=True)
    content["cnnlab"]["data"]["name"] = "mnist"
    torch.save(content, tmp_path / "mnist.ckpt")
    pair = f"[{run[1]},{tmp_path / 'mnist.ckpt'}]"
    with pytest.raises(UserError, match=r"two networks are compared on the same images, got digits .*, and mnist "):
        evaluate(compose("eval", [f"checkpoint={pair}", f"data.root={small_datasets}", f"figures={tmp_path}"]))


def test_nothing_is_written_into_the_package(data_root, small_datasets, tmp_path):
    checkpoint = PRETRAINED / "lenet5-mnist.safetensors"
    evaluate(compose("eval", [f"checkpoint={checkpoint}", f"data.root={small_datasets}", f"log_dir={tmp_path}"]))
    assert (tmp_path / "pretrained" / "lenet5-mnist" / "evaluation_test.json").exists()


def test_the_metrics_of_a_worked_example():
    logits = torch.tensor(
        [[3.0, 1, 0, 0, 0, 0, 0], [3, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 9], [9, 5, 4, 3, 2, 1, 0]]
    )
    result = score(logits, torch.tensor([0, 1, 6, 6]), num_classes=7)
    assert result.accuracy == 0.5
    assert result.top5 == 0.75
    assert result.by_class == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5]
    assert score(logits[:, :3], torch.tensor([0, 1, 2, 2]), num_classes=3).top5 is None


def test_an_unknown_split_is_refused(run, data_root):
    with pytest.raises(UserError, match=r"split must be one of \['test', 'val', 'train'\], got 'all'"):
        evaluate(configure(run[1], data_root, "split=all"))


def test_the_result_is_printed_even_if_it_cannot_be_written(run, data_root, tmp_path, capsys):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"output=.*result.json cannot be written: "):
        evaluate(configure(run[1], data_root, f"output={tmp_path / 'file' / 'result.json'}"))
    assert f"accuracy        {100 * run[0]['test/acc']:.2f} %" in capsys.readouterr().out


def test_a_missing_checkpoint_is_reported(tmp_path):
    with pytest.raises(UserError, match=f"checkpoint must be a file, and there is none at {tmp_path}/no.ckpt"):
        read_checkpoint(tmp_path / "no.ckpt")


def test_a_truncated_checkpoint_is_reported(run, tmp_path):
    path = tmp_path / "half.ckpt"
    content = run[1].read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        UserError, match=f"{path} is not a complete checkpoint: it is truncated, or another kind of file"
    ):
        read_checkpoint(path)


class Malicious:
    def __reduce__(self):
        return (Path.touch, (Path("ran"),))


def test_a_malicious_pickle_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "malicious.ckpt"
    torch.save({"cnnlab": Malicious(), "state_dict": {}}, path)
    with pytest.raises(UserError, match=f"{path} holds more than tensors and plain values, and was not loaded"):
        read_checkpoint(path)
    assert not (tmp_path / "ran").exists()


def test_a_bare_pickle_and_a_foreign_archive_are_refused(tmp_path):
    bare = tmp_path / "bare.ckpt"
    bare.write_bytes(pickle.dumps({"state_dict": {}}))
    with pytest.raises(UserError, match="is not a complete checkpoint"):
        read_checkpoint(bare)
    archive = tmp_path / "archive.ckpt"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(UserError, match="is not a complete checkpoint"):
        read_checkpoint(archive)


def test_a_checkpoint_of_another_program_is_refused(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(UserError, match=r"was not written by cnnlab"):
        read_checkpoint(tmp_path / "other.ckpt")


def test_a_card_of_another_format_is_refused(run, tmp_path):
    content = torch.load(run[1], weights_only=True)
    content["cnnlab"]["format"] = 99
    torch.save(content, tmp_path / "future.ckpt")
    with pytest.raises(UserError, match="has a card of format 99, and this version of cnnlab reads 1"):
        read_checkpoint(tmp_path / "future.ckpt")


def test_weights_of_another_network_are_refused(run):
    checkpoint = read_checkpoint(run[1])
    checkpoint["cnnlab"]["network"] = {"name": "cnn", "arguments": {"in_channels": 1, "image_size": 28}}
    with pytest.raises(UserError, match="the checkpoint's weights do not fit its network cnn"):
        trained(checkpoint)


def test_a_network_outside_of_cnnlab_is_not_built(run):
    checkpoint = read_checkpoint(run[1])
    checkpoint["cnnlab"]["network"] = {"name": "os.system", "arguments": {}}
    with pytest.raises(UserError, match=r"the checkpoint's network must be one of .* got 'os.system'"):
        trained(checkpoint)


def test_data_with_another_number_of_classes_is_refused(run, small_datasets, tmp_path):
    content = torch.load(run[1], weights_only=True)
    content["cnnlab"]["data"]["name"] = "image_folder"
    torch.save(content, tmp_path / "other.ckpt")
    cfg = configure(tmp_path / "other.ckpt", small_datasets / "image_folder")
    with pytest.raises(UserError, match=r"the network knows the classes .* has \['cat', 'dog'\]"):
        evaluate(cfg)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("image_size", "28", "image_size: Input should be a valid integer"),
        ("image_size", 14, "the network's image_size must be 14, got 28"),
        ("mean", [0.1, 0.2], "the network's in_channels must be 2, got 1"),
        ("classes", ["a"], "the network's num_classes must be 1, got 10"),
        ("std", [0.0], r"std must have 1 numbers above 0, got \[0.0\]"),
        ("std", "text", "std: Input should be a valid list"),
        ("data", {"name": "../x"}, "data.name: Input should be 'digits', "),
        ("network", None, "network: Input should be a valid dictionary"),
    ],
)
def test_a_card_with_wrong_values_is_reported(run, tmp_path, key, value, problem):
    content = torch.load(run[1], weights_only=True)
    content["cnnlab"][key] = value
    torch.save(content, tmp_path / "wrong.ckpt")
    with pytest.raises(UserError, match=rf"wrong.ckpt has a card that cannot be used: .*{problem}"):
        read_checkpoint(tmp_path / "wrong.ckpt")
