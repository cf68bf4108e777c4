"""cnnlab in a notebook: `import cnnlab` is light, and its functions give what the commands give."""

import re
import subprocess
import sys

import pytest
import torch
from PIL import Image

import cnnlab
from cnnlab.data.datamodule import ImageDataModule
from cnnlab.errors import UserError
from cnnlab.runs.trained_network import Trained
from tests.conftest import REPOSITORY

DRAWINGS = REPOSITORY / "docs" / "drawings"


def test_importing_cnnlab_imports_nothing_heavy():
    code = "import sys, cnnlab; cnnlab.data; print(sorted({'torch', 'lightning', 'pandas', 'PIL'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY / "src", capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_load_gives_a_network_that_can_be_called():
    trained = cnnlab.load("pretrained:lenet5-mnist")
    assert isinstance(trained, Trained)
    assert trained(trained.preprocess(torch.zeros(2, 1, 28, 28, dtype=torch.uint8))).shape == (2, 10)


def test_load_finds_no_run():
    with pytest.raises(UserError, match="checkpoint must be a file, a run folder, a run id"):
        cnnlab.load("nothing-like-this")


def test_predictions_are_a_data_frame(tmp_path):
    (tmp_path / "broken.png").touch()
    frame = cnnlab.predict("pretrained:lenet5-mnist", [DRAWINGS / "seven.png", tmp_path], top=2)
    assert list(frame.columns) == ["file", "rank", "class", "probability", "notes"]
    assert frame["class"].tolist()[0] == "7"
    assert frame["rank"].tolist()[:2] == [1, 2]
    assert frame["notes"].tolist() == ["inverted, centered", "inverted, centered", "unreadable: the file is empty"]
    assert frame["probability"].isna().tolist() == [False, False, True]


def test_predictions_of_a_loaded_network_and_of_a_pattern():
    frame = cnnlab.predict(cnnlab.load("pretrained:lenet5-mnist"), f"{DRAWINGS}/*.png", top=1)
    assert frame["class"].tolist() == ["7", "3"]


def test_arguments_are_checked(tmp_path):
    Image.new("L", (28, 28)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="top must be at least 1, got 0"):
        cnnlab.predict("pretrained:lenet5-mnist", tmp_path, top=0)
    with pytest.raises(ValueError, match=r"invert must be one of \['auto', 'yes', 'no'\], got 'maybe'"):
        cnnlab.predict("pretrained:lenet5-mnist", tmp_path, invert="maybe")
    with pytest.raises(ValueError, match=r"images: there is no file or folder x\.png"):
        cnnlab.predict("pretrained:lenet5-mnist", "x.png")
    with pytest.raises(ValueError, match=r"name must be one of .*, got 'mnsit'"):
        cnnlab.data("mnsit")


def test_data_is_a_package_and_a_function(data_root):
    module = cnnlab.data("digits", root=data_root, val_size=100)
    assert isinstance(module, ImageDataModule)
    assert (len(module.train), len(module.val), len(module.test)) == (1337, 100, 360)
    assert cnnlab.data.datamodule.ImageDataModule is ImageDataModule


def test_the_code_of_the_page_runs(data_root, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("CNNLAB_DATA", str(data_root))
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "python.md").read_text(), re.DOTALL):
        exec(code, names)
    assert names["logits"].shape == (8, 10)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'cnnlab' has no attribute 'lod'"):
        cnnlab.lod  # noqa: B018
