"""`explain`: maps with their checks, and what a network has learned, from a checkpoint alone."""

import json
from pathlib import Path

import pytest
from PIL import Image

from cnnlab.commands import explain
from cnnlab.commands.early import PARTS, answer
from cnnlab.config.compose import compose
from cnnlab.errors import UserError
from cnnlab.runs.run import train
from tests.runs.test_run import folder_of


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory, data_root) -> dict[str, Path]:
    """A LeNet-5 after two epochs on digits, and an MLP after one."""
    logs = tmp_path_factory.mktemp("logs")
    found = {}
    for model, epochs in (("lenet5", 2), ("mlp", 1)):
        places = [f"log_dir={logs}", f"data.root={data_root}", "logger=none", "test=false"]
        cfg = compose("train", [*places, f"model={model}", f"trainer.max_epochs={epochs}"])
        found[model] = folder_of(cfg, train(cfg)) / "checkpoints" / "best.ckpt"
    return found


@pytest.fixture
def explained(checkpoints, places, tmp_path, capsys, monkeypatch):
    """Runs `explain` on two images and returns what it prints, and the content of `explain.json`."""
    monkeypatch.setattr("cnnlab.commands.explained.MOST_IMAGES", 2)

    def run(*overrides: str, model: str = "lenet5") -> tuple[str, dict]:
        folder = tmp_path / "figures"
        explain.run(compose("explain", [*places, f"checkpoint={checkpoints[model]}", f"figures={folder}", *overrides]))
        return capsys.readouterr().out, json.loads((folder / "explain.json").read_text())

    return run


@pytest.fixture
def drawing(tmp_path) -> Path:
    path = tmp_path / "one.png"
    image = Image.new("L", (40, 60), 255)
    image.paste(0, (18, 10, 23, 50))
    image.save(path)
    return path


def test_every_part_has_a_figure_and_facts(explained, tmp_path):
    out, facts = explained("show=all")
    assert set(PARTS) < set(facts)
    names = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert {"filters", "exciting", "mistakes", "reliability", "scores"} < names
    assert sum(name.startswith("gradcam_test_") for name in names) == 2
    assert "expected calibration error" in out


def test_each_map_is_compared_with_shifted_maps_and_random_weights(explained):
    out, facts = explained("show=maps")
    assert "shifted: the same map at 8 random positions; worse for " in out
    for image in facts["maps"]["images"]:
        assert {"map", "shifted_map", "untrained_network", "similarity"} < set(image)
        assert 0 <= image["map"] <= 1


@pytest.mark.parametrize("method", ["hirescam", "occlusion", "integrated_gradients"])
def test_files_are_explained_without_the_dataset(explained, drawing, tmp_path, monkeypatch, method):
    monkeypatch.setattr("cnnlab.commands.explained.datamodule_of", None)
    out, facts = explained(f"images={drawing}", f"method={method}", "target=7", "show=maps")
    assert facts["maps"]["images"][0]["class"] == "7"
    assert "inverted" in out
    assert (tmp_path / "figures" / f"{method}_one.png").exists()


def test_images_of_the_same_name_get_figures_of_their_own(explained, drawing, tmp_path):
    (tmp_path / "other").mkdir()
    drawing.with_name("other").joinpath("one.png").write_bytes(drawing.read_bytes())
    explained(f"images={drawing},{tmp_path / 'other'}", "show=maps")
    assert sorted(path.name for path in (tmp_path / "figures").glob("*.png")) == [
        "gradcam_one.png",
        "gradcam_one_2.png",
    ]


def test_units_can_be_chosen(explained):
    _, facts = explained("show=excite", "units=[3,0]")
    assert list(facts["excite"]) == ["3", "0"]
    assert len(facts["excite"]["3"]) == 8


def test_a_zero_map_is_said_to_be_one(explained, monkeypatch):
    monkeypatch.setattr("cnnlab.commands.explain.attribution_map", lambda net, x, *_: 0 * x[:, 0])
    out, facts = explained("show=maps")
    assert out.count("zero map: no channel") == 2
    assert facts["maps"]["images"][0]["is_zero"]


def test_a_network_without_maps_is_told_the_methods_that_work(explained, drawing):
    with pytest.raises(UserError, match=r"method=gradcam needs a feature map, .* use method=occlusion or integ"):
        explained(model="mlp")
    out, facts = explained("method=occlusion", f"images={drawing}", model="mlp")
    assert "note: show=filters is left out" in out
    assert set(facts) == {"network", "data", "maps"}


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["images=no/*.png"], r"images: nothing matches the pattern no/\*\.png"),
        (["images={tmp}/text.png"], "images: .*text.png: not a readable image"),
        (["target=eleven"], r"target must be one of \['0', '1', .* got 'eleven'"),
        (["method=cam"], "method=cam needs a network whose logits are a linear function of the means"),
        (["show=excite", "units=[16]"], "units must be from 0 to 15, the channels of the last feature map, got 16"),
        (["method=lime"], r"method must be one of \['gradcam', .* got 'lime'"),
    ],
)
def test_mistakes_are_reported_in_one_line(explained, tmp_path, overrides, problem):
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(UserError, match=problem) as error:
        explained(*(override.replace("{tmp}", str(tmp_path)) for override in overrides))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "figures").exists()


def test_an_unknown_part_is_refused_before_anything_is_loaded(tmp_path):
    cfg = compose("explain", ["checkpoint=none", "show=dreams", f"log_dir={tmp_path}"])
    with pytest.raises(UserError, match=r"show must be one of \['all', 'maps', .* got 'dreams'"):
        answer(cfg)
