"""`explore`: the page of one network or two, and what cannot be shown."""

import pytest
import torch
from torch import nn

from cnnlab.commands.early import answer
from cnnlab.commands.explore import run as explore
from cnnlab.config.compose import compose
from cnnlab.errors import UserError
from cnnlab.image_spec import ImageSpec
from cnnlab.preprocessing import Preprocessing
from cnnlab.runs.run import train
from cnnlab.runs.trained_network import Trained
from cnnlab.web.explorer import explorer_page, one_of_each
from tests.web.browser import needs_browser, opened


@pytest.fixture(scope="module")
def logs(tmp_path_factory, data_root):
    """The logs of a LeNet-5 and of a network with residual blocks."""
    logs = tmp_path_factory.mktemp("logs")
    places = [f"log_dir={logs}", f"data.root={data_root}", "logger=none", "trainer=smoke"]
    for name in ("lenet5", "resnet20"):
        train(compose("train", [*places, f"model={name}"]))
    return logs


def run_of(logs, name: str) -> str:
    return str(next(logs.glob(f"{name}-digits/*/result.json")).parent)


@needs_browser
def test_the_page_of_two_networks_shows_both(logs, data_root, tmp_path, capsys):
    both = f"checkpoint=[{run_of(logs, 'lenet5')},{run_of(logs, 'resnet20')}]"
    output = tmp_path / "two.html"
    arguments = [both, "images=4", "language=zh", f"output={output}", f"data.root={data_root}", f"log_dir={logs}"]
    assert explore(answer(compose("explore", arguments))[0]) == output
    shown = capsys.readouterr().out
    assert "float32" in shown
    assert "4 test images of digits" in shown
    with opened(output) as page:
        page.wait_for_selector("body[data-ready]")
        assert page.locator(".network").count() == 2
        assert page.locator(".thumbnail").count() == 4
        assert page.locator("html").get_attribute("lang") == "zh"
        assert page.evaluate("explorer.explored.map(({ network }) => network.name)") == ["lenet5", "resnet20"]


def test_the_images_take_turns_by_class(configure):
    from cnnlab.build.objects import build_datamodule

    data = build_datamodule(configure("data=digits"))
    _, labels = one_of_each(data.test, 20)
    assert labels.tolist() == [*range(10), *range(10)]


def network(channels: int, width: int = 4) -> Trained:
    spec = ImageSpec(channels, 8, 2, ("a", "b"), (0.5,) * channels, (0.5,) * channels)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64 * channels, width), nn.Linear(width, 2))
    card = {"network": {"name": f"net{channels}"}, "data": {"name": "photos"}}
    return Trained(net.eval(), card, Preprocessing(spec, 8))


def test_networks_that_a_page_cannot_show_are_refused(monkeypatch):
    images = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match="networks must take the same images, got net1 trained on photos and net3"):
        explorer_page([network(1), network(3)], images, ["a"], "en")
    monkeypatch.setattr("cnnlab.web.explorer.LARGEST", 2**20)
    with pytest.raises(ValueError, match=r"networks must have at most 1 MiB of weights, got 5 MiB for net1"):
        explorer_page([network(1, width=40_000)], images, ["a"], "en")


def test_a_page_that_cannot_be_written_is_reported(logs, data_root, tmp_path):
    (tmp_path / "file").touch()
    arguments = [f"checkpoint={run_of(logs, 'lenet5')}", f"output={tmp_path}/file/x.html", f"data.root={data_root}"]
    with pytest.raises(UserError, match=r"output=.*x\.html cannot be written: "):
        explore(answer(compose("explore", arguments))[0])
