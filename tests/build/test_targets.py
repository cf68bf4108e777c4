"""A `_target_` may name only what its configuration group allows; nothing else is ever called."""

import re

import pytest
import torch
from omegaconf import OmegaConf

from cnnlab.build.targets import ALLOWED, make
from cnnlab.errors import UserError

ELSEWHERE = ("os.system", "pydoc.pipepager", "pathlib.Path", "cnnlab.files.write_atomically", "cnnlab.nothing.there")
REACHED = ("cnnlab.augment.trivial.torch.hub.load", "cnnlab.models.mlp.nn.Linear", "torch.optim.lr_scheduler.math.exp")


@pytest.mark.parametrize("group", ALLOWED)
@pytest.mark.parametrize("target", [*ELSEWHERE, *REACHED])
def test_a_target_outside_its_groups_modules_is_refused(group, target):
    with pytest.raises(UserError, match=rf"{group}._target_ must name something of .* got '{target}'"):
        make(OmegaConf.create({"_target_": target}), group, "true")


def test_a_target_of_another_group_is_refused():
    with pytest.raises(UserError, match=r"loss._target_ must name something of"):
        make(OmegaConf.create({"_target_": "cnnlab.models.lenet5"}), "loss")


def test_a_nested_target_is_refused(tmp_path):
    inner = {"_target_": "pathlib.Path.touch", "self": str(tmp_path / "ran")}
    with pytest.raises(UserError, match="loss must not hold another _target_"):
        make(OmegaConf.create({"_target_": "cnnlab.training.losses.Focal", "gamma": inner}), "loss")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", ["analyze", "train", "eval"])
def test_no_command_calls_an_arbitrary_target_from_the_command_line(script, command, tmp_path):
    ran = tmp_path / "ran"
    arguments = ["optimizer._target_=pydoc.pipepager", "+optimizer.text=x", f"+optimizer.cmd='touch {ran}'"]
    done = command(f"src/{script}.py", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not ran.exists()


@pytest.mark.parametrize(
    ("group", "node", "message"),
    [
        ("model", {"_target_": "cnnlab.models.vgg11", "stem": "tiny"}, "model.stem must be one of"),
        ("loss", {"_target_": "cnnlab.training.losses.Focal", "gamma": -1}, "loss.gamma must be a number of"),
        ("optimizer", {"_target_": "torch.optim.SGD", "lr": -1}, "optimizer: Invalid learning rate: -1"),
        ("model", {"_target_": "cnnlab.models.mlp", "depth": 3}, "model cannot be made with depth=3: "),
    ],
    ids=["model", "loss", "optimizer", "unknown argument"],
)
def test_an_error_of_a_library_is_reported_with_its_configuration_key(group, node, message):
    arguments = [[torch.nn.Parameter(torch.zeros(1))]] if group == "optimizer" else []
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        make(OmegaConf.create(node), group, *arguments)
