"""`analyze`: one network, several networks, trained networks, and invalid arguments."""

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch import nn

from cnnlab import models
from cnnlab.analysis.explained import layer_records
from cnnlab.analysis.explanations import EXPLANATIONS
from cnnlab.commands import analyze
from cnnlab.commands.early import answer
from cnnlab.config.compose import compose
from cnnlab.errors import UserError
from cnnlab.runs.run import train
from cnnlab.runs.trained_network import load_trained
from tests.analysis.subjects import MODELS, subject
from tests.conftest import REPOSITORY
from tests.runs.test_run import folder_of


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, data_root):
    logs = tmp_path_factory.mktemp("logs")
    cfg = compose("train", [f"log_dir={logs}", f"data.root={data_root}", "trainer.max_epochs=1", "logger=none"])
    return folder_of(cfg, train(cfg)) / "checkpoints" / "last.ckpt"


@pytest.fixture
def shown(tmp_path, data_root, capsys):
    """Runs `analyze` with overrides and returns what it prints."""

    def run(*overrides: str) -> str:
        cfg = compose("analyze", [f"log_dir={tmp_path}", f"data.root={data_root}", *overrides])
        capsys.readouterr()
        analyze.run(answer(cfg)[0])
        return capsys.readouterr().out

    return run


def test_the_networks_own_input_and_classes_are_printed(shown):
    text = shown("model=resnet18")
    assert "input                 3 x 224 x 224, 1,000 classes (the network's own)" in text
    assert "parameters            11,689,512" in text
    assert "multiply-accumulates  1,814,073,344 per image" in text
    assert "layers                18 on the longest path" in text
    assert "receptive field       435 pixels at conv5_x.1" in text


def test_the_form_of_a_dataset_is_used_without_reading_it(shown, tmp_path):
    text = shown("model=resnet18", "data=cifar10", f"data.root={tmp_path / 'absent'}")
    assert "3 x 32 x 32, 10 classes (of cifar10)" in text
    assert "11,173,962" in text
    assert not (tmp_path / "absent").exists()


def test_single_values_take_precedence(shown):
    assert "1 x 32 x 32, 7 classes (as given)" in shown("in_channels=1", "image_size=32", "num_classes=7")
    text = shown("model=cnn", "data=cifar10", "image_size=64")
    assert "3 x 64 x 64, 10 classes (of cifar10, but image_size as given)" in text


def test_memory_is_reported_for_the_batch_precision_and_optimizer(shown):
    assert "with batch 128, 32-true, Adam:" in shown()
    text = shown("model=resnet18", "data.batch_size=2", "trainer.precision=bf16-mixed", "optimizer=sgd")
    assert "with batch 2, bf16-mixed, SGD:" in text


def test_the_measured_receptive_field_is_reported(shown):
    assert "16 pixels at s4, and the same measured from gradients" in shown("measure=true")


@pytest.mark.parametrize("form", ["table", "markdown", "csv", "json"])
def test_every_format_can_be_written(shown, tmp_path, form):
    path = tmp_path / "deep" / "table.txt"
    assert f"written: {path}" in shown(f"format={form}", f"output={path}")
    assert "c1" in path.read_text()


def test_json_and_csv_are_printed_without_other_text(shown):
    assert json.loads(shown("format=json"))["field"] == 16
    assert [row["name"] for row in csv.DictReader(io.StringIO(shown("format=csv")))][:3] == ["c1", "tanh", "s2"]


def test_several_networks_are_compared_and_drawn(shown, tmp_path):
    text = shown("models=[lenet5,mlp,resnet18]")
    assert re.search(r"lenet5 +1x28x28 +10 +5 +61,706 +416,520", text)
    assert re.search(r"resnet18 +3x224x224 +1,000 +18 +11,689,512 +1,814,073,344", text)
    for name in ("costs", "receptive_fields"):
        assert (tmp_path / "analysis" / f"{name}.png").stat().st_size > 10_000
    assert [row["network"] for row in json.loads(shown("models=lenet5", "format=json"))["rows"]] == ["lenet5"]


@pytest.mark.slow
def test_all_networks_are_compared(shown):
    rows = csv.DictReader(io.StringIO(shown("models=all", "format=csv")))
    assert [row["network"] for row in rows] == MODELS


def test_the_worked_examples_are_shown(shown):
    text = shown("worked=true")
    assert "921,600" in text
    assert "120,422,400" in text


@pytest.mark.parametrize("model", EXPLANATIONS)
def test_the_explanation_of_a_network_is_the_committed_page(shown, tmp_path, model):
    page = REPOSITORY / "docs" / f"{model.partition('_')[0]}.md"
    assert shown(f"model={model}", "explain=true") == page.read_text()
    assert (tmp_path / "analysis" / f"{model}_layers.png").exists()


@pytest.mark.parametrize("model", EXPLANATIONS)
def test_explanations_name_existing_layers_and_contain_no_numbers(model):
    why = EXPLANATIONS[model].why
    traced = subject(model).trace
    lines = layer_records(traced, why)
    assert [line["layer"] for line in lines] == list(why)
    assert sum(line["parameters"] for line in lines) == traced.parameters - traced.unused
    names = {part for name in why for part in (name, *name.split("."))}
    assert not [word for text in why.values() for word in re.findall(r"\w*\d\w*", text) if word not in names]


def test_a_trained_network_has_statistics_of_weights_and_activations(shown, checkpoint):
    text = shown(f"checkpoint={checkpoint}")
    assert "1 x 28 x 28, 10 classes (trained on digits)" in text
    assert "weights, and activations on 144 validation images" in text
    content = json.loads(shown(f"checkpoint={checkpoint}", "format=json"))
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]["net.c1.weight"]
    first = content["rows"][0]
    assert first["weight_std"] == pytest.approx(weights.std(correction=0).item(), rel=1e-5)
    assert first["std"] > 0
    assert content["rows"][6] | {"mean": None} == content["rows"][6]  # flatten has no statistics of its own


def test_a_trained_networks_logits_are_drawn_over_an_image(shown, checkpoint, tmp_path):
    path = tmp_path / "photo.png"
    Image.effect_noise((70, 50), 60).save(path)
    assert "figure: " in shown(f"checkpoint={checkpoint}", f"image={path}")
    assert (tmp_path / "analysis" / "class_map_photo.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["models=[lenet5,nonsense]"], r"models must be one of \['all', .*, got 'nonsense'"),
        (["format=xml"], r"format must be one of \['table', 'markdown', 'csv', 'json'\], got 'xml'"),
        (["worked=true", "models=all"], "analyze shows one thing at a time, got models and worked"),
        (["image=a.png"], "image needs a trained network: checkpoint=PATH"),
        (["explain=true", "model=mlp"], r"explain=true: model must be one of \['lenet5', .*\], got 'mlp'"),
        (
            ["explain=true", "model=alexnet_2012", "format=csv"],
            r"explain=true: format must be one of \['table', 'markdown'\], got 'csv'",
        ),
        (
            ["explain=true", "model=alexnet_2012", "data=cifar10", "model.dropout=0", "image_size=99"],
            "explain=true is about the network as published, so model, image_size, data cannot be changed",
        ),
        (["data=image_folder"], "the folders of data=image_folder name its classes: num_classes=N must be given"),
        (["image_size=0"], "image_size must be null or a whole number from 1 to 4096, got 0"),
        (["measure=1"], "measure must be true or false, got 1"),
        (["image_size=8"], "image_size must be at least 12 for LeNet-5, got 8"),
        (
            ["checkpoint=none.ckpt"],
            "checkpoint must be a file, .*, latest, or pretrained:NAME, got 'none.ckpt'",
        ),
        (["output=/dev/null/table"], "output=/dev/null/table cannot be written: .*"),
        (["models=[lenet5,cnn]", "figures=/dev/null/costs"], "figures=/dev/null/costs cannot be written: .*"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_reported(shown, overrides, message):
    with pytest.raises(UserError, match=message):
        shown(*overrides)


def test_mistakes_with_a_checkpoint_are_reported(shown, checkpoint, tmp_path):
    with pytest.raises(UserError, match="a checkpoint has its own images, so image_size cannot be given with it"):
        shown(f"checkpoint={checkpoint}", "image_size=32")
    with pytest.raises(UserError, match=r"image=.*none.png cannot be read: .*"):
        shown(f"checkpoint={checkpoint}", f"image={tmp_path}/none.png")
    Image.new("L", (40, 20)).save(tmp_path / "small.png")
    with pytest.raises(UserError, match="image must be at least 28 x 28 pixels, got 40 x 20"):
        shown(f"checkpoint={checkpoint}", f"image={tmp_path}/small.png")


class Sorting(nn.Module):
    """Applies a function that has no rule."""

    def __init__(self, in_channels: int = 1, num_classes: int = 10, image_size: int = 28, **options: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, num_classes, kernel_size=image_size)

    def forward(self, x):
        return self.conv(x.sort(2).values).flatten(1)


def resized(in_channels=1, num_classes=10, image_size=28, **options):
    return nn.Sequential(nn.AdaptiveAvgPool2d(14), nn.Conv2d(in_channels, num_classes, kernel_size=3))


def test_a_network_that_cannot_be_analyzed_is_reported(shown, monkeypatch):
    for build, option, message in (
        (Sorting, "worked=false", "model=lenet5: net cannot be traced at sort: name must be a function with a rule"),
        (resized, "measure=true", "measure=true: traced must have no adaptive pooling before its last map, got 0"),
    ):
        monkeypatch.setattr(build, "__module__", "cnnlab.models.lenet")
        monkeypatch.setattr(models, "lenet5", build)
        with pytest.raises(UserError, match=message):
            shown(option)


def test_a_trained_network_that_cannot_be_analyzed_is_reported(shown, checkpoint, tmp_path, monkeypatch):
    path = tmp_path / "photo.png"
    Image.effect_noise((70, 50), 60).save(path)
    trained = load_trained(checkpoint)

    def with_network(net: nn.Module) -> None:
        monkeypatch.setattr(
            "cnnlab.runs.trained_network.load_network", lambda path, command: replace(trained, net=net.eval())
        )

    with_network(models.resnet20(in_channels=1, image_size=28))
    with pytest.raises(UserError, match=f"image={path}: net must flatten a feature map before fc, got global pooling"):
        shown(f"checkpoint={checkpoint}", f"image={path}")
    with_network(models.fastnet(in_channels=1, image_size=28))
    with pytest.raises(UserError, match=f"image={path}: net must be traceable by torch.fx: "):
        shown(f"checkpoint={checkpoint}", f"image={path}")
    with_network(Sorting())
    with pytest.raises(UserError, match=f"checkpoint={checkpoint}: net cannot be traced at sort"):
        shown(f"checkpoint={checkpoint}")


def test_the_command_runs(command):
    done = command("src/analyze.py", "models=[lenet5,cnn]")
    assert done.returncode == 0, done.stderr
    assert "figure: " in done.stdout
    refused = command("src/analyze.py", "model=nonsense")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: unknown choice model=nonsense; model is one of: ")


def test_analyze_does_not_import_lightning():
    script = (
        "import sys; sys.argv = ['analyze', 'model=vgg16']; sys.path.insert(0, 'src')\n"
        "from cnnlab.cli.main import main\n"
        "main('analyze'); sys.exit('lightning' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, check=False)
    assert done.returncode == 0
