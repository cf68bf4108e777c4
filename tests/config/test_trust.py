"""A choice file from somebody else cannot run anything."""

import os

import pytest

from cnnlab.config.compose import compose
from cnnlab.config.folders import VARIABLE
from cnnlab.config.trust import check_choice_files
from cnnlab.errors import UserError

HOSTILE = {
    "environment": "# @package _global_\nhydra: {job: {env_set: {GIT_SSH_COMMAND: evil}}}\n",
    "log handler": "# @package _global_\nhydra: {job_logging: {handlers: {x: {(): os.system, command: evil}}}}\n",
    "callback": "# @package _global_\nhydra: {callbacks: {x: {_target_: os.system}}}\n",
    "launcher": "# @package _global_\nhydra: {launcher: {_target_: os.system}}\n",
    "sweeper": "# @package _global_\nhydra: {sweeper: {_target_: os.system, params: {seed: 1}}}\n",
    "package": "# @package hydra.job\nenv_set: {A: b}\n",
    "another choice": "# @package _global_\ndefaults:\n  - override /hydra/job_logging: evil\n",
    "placed choice": "defaults:\n  - loss@hydra.job.env_set: evil\n",
    "escaped key": '# @package _global_\n"\\x68ydra": {job: {env_set: {A: b}}}\n',
    "not a mapping": "# @package _global_\nhydra: text\n",
}


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """Writes an experiment into a folder of choices."""
    (tmp_path / "experiment").mkdir()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return (tmp_path / "experiment" / "theirs.yaml").write_text


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_choice_file_that_sets_more_of_hydra_than_a_sweep_is_refused(experiment, kind):
    experiment(HOSTILE[kind])
    with pytest.raises(UserError, match=r"theirs.yaml: a choice file may set hydra.sweeper.params only, got ['\"]"):
        compose("train", ["experiment=theirs"])


@pytest.mark.parametrize("text", ["a: [b", "- a\n- b\n", "text"])
def test_a_choice_file_that_holds_no_settings_is_reported(experiment, text):
    experiment(text)
    with pytest.raises(UserError, match=r"theirs.yaml (cannot be read|must hold settings)"):
        check_choice_files()


def test_a_sweep_of_somebody_else_is_composed(experiment):
    experiment("# @package _global_\nseed: 3\nhydra: {sweeper: {params: {seed: '0,1'}}}\n")
    assert compose("train", ["experiment=theirs"]).seed == 3
    assert "GIT_SSH_COMMAND" not in os.environ
