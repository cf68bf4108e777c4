"""Where configuration, runs and data are found: in a clone, elsewhere, and in a user's own folder of choices."""

import shutil
import subprocess
import sys

import pytest

from cnnlab.config import folders
from cnnlab.config.compose import compose
from cnnlab.config.folders import CLONE, CONF, VARIABLE, add_conf_folders, choices, data_root, groups, logs_root
from cnnlab.errors import UserError
from tests.conftest import REPOSITORY


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A user's folder with a network of its own."""
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "small_mlp.yaml").write_text("_target_: cnnlab.models.mlp\nhidden: [8]\n")
    monkeypatch.setenv(VARIABLE, "")
    return tmp_path / "conf"


def test_a_users_choice_is_composed_and_listed(own):
    assert add_conf_folders(["--config-dir", str(own), "model=small_mlp"]) == ["model=small_mlp"]
    assert compose("train", ["model=small_mlp"]).model["hidden"] == [8]
    assert compose("analyze", ["model=small_mlp"]).model["hidden"] == [8]
    assert "small_mlp" in choices("model")
    assert "resnet18" in choices("model")


@pytest.mark.parametrize("command", ["train", "analyze", "tune", "benchmark"])
def test_help_and_messages_list_a_users_choice(own, command):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, f"src/{command}.py", f"--config-dir={own}", *arguments]
        return subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert "small_mlp" in run("--help").stdout
    assert "small_mlp" in run("model=nonsense").stderr


def test_conf_local_is_found_too(tmp_path, monkeypatch):
    shutil.copytree(CONF, tmp_path / "conf")
    (tmp_path / "conf" / "local" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "local" / "model" / "mine.yaml").write_text("_target_: cnnlab.models.mlp\nhidden: [4]\n")
    monkeypatch.setattr(folders, "CONF", tmp_path / "conf")
    assert "mine" in choices("model")
    assert not {group for group in groups() if group.startswith("local")}
    assert "/conf/local/" in (REPOSITORY / ".gitignore").read_text().splitlines()


def test_a_folder_that_is_not_there_is_reported():
    with pytest.raises(UserError, match=r"--config-dir must be a folder with choices.*nix is none"):
        add_conf_folders(["--config-dir", "nix"])


def test_runs_and_data_are_beside_the_clone_or_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("CNNLAB_DATA", raising=False)
    monkeypatch.chdir(CLONE)
    assert (logs_root(), data_root()) == ("logs", "data")
    monkeypatch.chdir(CLONE / "src" / "cnnlab")
    assert (logs_root(), data_root()) == ("../../logs", "../../data")
    monkeypatch.chdir(tmp_path)
    assert (logs_root(), data_root()) == ("logs", "data")
    monkeypatch.setenv("CNNLAB_DATA", "/data/sets")
    assert data_root() == "/data/sets"
    assert compose("train").data.root == "/data/sets"
