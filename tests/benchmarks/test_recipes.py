"""Our recipe and the published one, with runs in place of training."""

import json
from pathlib import Path

import pytest
import torch

from cnnlab.benchmarks import recipes
from cnnlab.commands.benchmark import run
from cnnlab.config.compose import compose
from cnnlab.errors import UserError

ARGUMENTS = ["bench=recipe", "experiment=cifar10_fast", "data.val_size=0", "rounds=2", "data.batch_size=8"]


def test_both_recipes_train_on_the_same_images_with_the_same_seeds_alternately(small_datasets, tmp_path, monkeypatch):
    commands = []

    def fake(command):
        commands.append(command[2:])
        if command[2] == "cnnlab.benchmarks.airbench":
            images = torch.load(command[3])
            assert images["train"].shape[1:] == images["test"].shape[1:] == (3, 32, 32)
            assert len(images["train_labels"]) == len(images["train"])
            seconds = 80.0 + int(command[4])
            return 2 * seconds, "a warning\n" + json.dumps({"test with views": 90.0, "seconds": seconds})
        folder = Path(command[-1].removeprefix("log_dir=")) / "cifar10_fast" / "run"
        folder.mkdir(parents=True)
        seed = int(command[-2].removeprefix("seed="))
        (folder / "result.json").write_text(json.dumps({"test/acc": 0.91 + 0.01 * seed, "train_seconds": 60.0}))
        return 61.0, ""

    monkeypatch.setattr(recipes, "_run", fake)
    run(compose("benchmark", [*ARGUMENTS, f"data.root={small_datasets}", f"log_dir={tmp_path}"]))
    assert [(command[0], command[-2] if "airbench" not in command[0] else command[-1]) for command in commands] == [
        ("cnnlab", "seed=0"), ("cnnlab.benchmarks.airbench", "0"),
        ("cnnlab", "seed=1"), ("cnnlab.benchmarks.airbench", "1"),
    ]  # fmt: skip
    assert commands[0][1:4] == ["train", "experiment=cifar10_fast", "data.val_size=0"]
    found = json.loads((tmp_path / "bench" / "recipe-cifar10_fast.json").read_text())
    ours, published = found["tables"]["recipes"]
    assert (ours["test, %"], ours["±"], ours["training, s"], ours["whole process, s"]) == ("91.50", "0.71", 60, 61)
    assert (published["test, %"], published["±"], published["training, s"]) == ("90.00", "0.00", 80.5)
    slowest = (published["training: slowest"], published["process: slowest"])
    assert slowest == (81, 162)
    assert found["notes"][0] == f"Training: train.py takes {60 / 80.5:.3f} of the published recipe's time (medians)."
    assert found["seconds"]["airbench94_muon, process"] == [160, 162]


@pytest.mark.parametrize("other", ["data=digits", "data.val_size=0.1"])
def test_other_images_are_refused(other, tmp_path):
    cfg = compose("benchmark", [*ARGUMENTS, other, f"log_dir={tmp_path}"])
    with pytest.raises(UserError, match=r"use experiment=cifar10_fast data\.val_size=0"):
        run(cfg)


def test_a_recipe_that_fails_says_why(tmp_path):
    with pytest.raises(UserError, match=r"(?s)cnnlab\.benchmarks\.airbench .*nix.* ended with an error:.*nix"):
        recipes._published(tmp_path / "nix", 0)
