"""The `lab` command: the files of each experiment, the index page, and errors."""

import importlib
import json
import re
from html import escape

import pytest
import torch

from cnnlab.commands.early import answer
from cnnlab.commands.lab import run as run_lab
from cnnlab.config.compose import compose
from cnnlab.errors import UserError
from cnnlab.lab import speed
from cnnlab.lab.notebook import EXPERIMENTS
from tests.conftest import REPOSITORY

SHARED = {"__init__", "finding", "notebook", "digits", "photograph"}


def test_each_file_of_the_lab_is_a_listed_experiment_or_shared_code():
    files = {path.stem for path in (REPOSITORY / "src" / "cnnlab" / "lab").glob("*.py")}
    assert files == {*EXPERIMENTS} | SHARED
    for name in EXPERIMENTS:
        assert re.search(r"\nSources?( of the methods)?: .*", importlib.import_module(f"cnnlab.lab.{name}").__doc__)


def test_lab_all_writes_each_result_and_an_index_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("cnnlab.commands.lab.EXPERIMENTS", ("edges", "correlation_vs_convolution"))
    run_lab(compose("lab", ["lab=all", f"figures={tmp_path}"]))
    page, printed = (tmp_path / "index.html").read_text(), capsys.readouterr().out
    for name in ("edges", "correlation_vs_convolution"):
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
        title = json.loads((tmp_path / f"{name}.json").read_text())["title"]
        assert title in printed
        assert escape(title) in page
        assert f'src="{name}.png"' in page


def test_an_unknown_experiment_and_an_unwritable_folder_raise_an_error(tmp_path):
    with pytest.raises(UserError, match=r"lab must be one of \['all', 'edges', .*\], got 'magic'"):
        answer(compose("lab", ["lab=magic"]))
    with pytest.raises(UserError, match="image= is for lab=laplacian, learn_kernel, pooling or all, got lab=edges"):
        answer(compose("lab", ["lab=edges", "image=cat.png"]))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"figures=.*file/lab cannot be written: Not a directory"):
        run_lab(compose("lab", ["lab=edges", f"figures={tmp_path}/file/lab"]))


def test_an_unusable_image_is_reported_before_the_first_experiment_runs(tmp_path):
    with pytest.raises(UserError, match=r"image=missing\.png: not a readable"):
        run_lab(compose("lab", ["lab=all", "image=missing.png", f"figures={tmp_path}/lab"]))
    assert not (tmp_path / "lab").exists()


@pytest.fixture
def small_speed(monkeypatch):
    monkeypatch.setattr(speed, "GROWING", (speed.Size(4, 6, 1), speed.Size(8, 8, 2)))
    monkeypatch.setattr(speed, "SHAPES", (speed.Size(8, 8, 2),))
    monkeypatch.setattr(speed, "ROUNDS", 3)
    monkeypatch.setattr(speed, "other_steps", dict)
    monkeypatch.setattr(speed, "LENET5_BATCH", 2)


def test_speed_measures_each_method_and_torch(small_speed):
    rows = speed.experiment(speed.Settings()).values["rows"]
    for what in ("4 channels, 6x6, batch 1", "8 channels, 8x8, batch 2", "LeNet-5, batch 1"):
        measured = {row["method"]: row for row in rows if row["what"] == what}
        assert set(measured) == {"torch", "loop", "shifted", "im2col", "fft", "winograd"}
        assert measured["torch"]["times_torch"] == 1
        assert all(row["fastest"] <= row["milliseconds"] <= row["slowest"] for row in measured.values())
    assert measured["loop"]["fastest"] > measured["torch"]["fastest"]  # LeNet-5 takes a tenth of a second with loops


@pytest.mark.slow
def test_im2col_and_shifted_stay_within_their_factors_of_torch():
    """Forward pass and both gradients of a 3x3 convolution; needs a machine without other load."""

    def slower(size: speed.Size) -> dict[str, float]:
        return {row["method"]: row["times_torch"] for row in speed.measure("", speed.convolution_steps(size), None)}

    large = slower(speed.Size(64, 32, 64))
    assert large["im2col"] < 2
    assert large["shifted"] < 4
    assert slower(speed.Size(512, 4, 128))["im2col"] < 1.1
    assert slower(speed.Size(512, 4, 128, torch.bfloat16))["im2col"] < 1 / 1.5
