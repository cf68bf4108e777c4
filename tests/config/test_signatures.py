"""The arguments that a target accepts are read from its source, and are those that Python sees."""

import inspect
import re

import hydra.utils
import pytest
import yaml

from cnnlab.config.folders import CONF
from cnnlab.config.signatures import ALLOWED, check_arguments, signature_of
from cnnlab.errors import UserError


def targets() -> dict[str, str]:
    """The group of every `_target_` in conf/."""
    found = {}
    for group in ALLOWED:
        for path in sorted((CONF / group).glob("*.yaml")):
            content = yaml.safe_load(path.read_text()) or {}
            for node in (content, *(part for part in content.values() if isinstance(part, dict))):
                if "_target_" in node:
                    found[node["_target_"]] = group
    return found


@pytest.mark.parametrize("target", targets())
def test_the_source_has_the_arguments_that_python_sees(target):
    signature = signature_of(target)
    assert signature is not None
    found = hydra.utils.get_object(target)
    own_init = not inspect.isclass(found) or found.__init__ is not object.__init__
    assert list(signature.annotations) == (list(inspect.signature(found).parameters) if own_init else [])


@pytest.mark.parametrize(
    ("group", "node", "message"),
    [
        ("model", {"_target_": "cnnlab.models.vgg16", "depths": [1]}, "unknown key model.depths; vgg16 accepts: batch"),
        ("model", {"_target_": "cnnlab.models.mlp", "num_classes": 3}, "model.num_classes is determined by the data"),
        ("model", {"_target_": "cnnlab.models.mlp", "hidden": 5}, "model.hidden must be a list, each a whole number"),
        ("model", {"_target_": "cnnlab.models.mlp", "hidden": [1.5]}, "model.hidden must be a list, each a whole"),
        ("model", {"_target_": "cnnlab.models.vgg16", "dropout": "x"}, "model.dropout must be null or a number, got"),
        ("optimizer", {"_target_": "torch.optim.Adam", "betas": []}, "optimizer.betas must be a list of 2, each a num"),
        ("optimizer", {"_target_": "torch.optim.SGD", "lr": True}, "optimizer.lr must be a number, got true"),
        ("augment.flip", {"_target_": "cnnlab.augment.RandomFlip", "p": 1}, "unknown key augment.flip.p; RandomFlip"),
        ("model", {"_target_": "os.system"}, r"model._target_ must name something of \['cnnlab.models.'\], got 'os"),
        ("loss", {}, "loss._target_ must name something of"),
    ],
)
def test_a_wrong_argument_is_reported(group, node, message):
    with pytest.raises(UserError, match=f"^{message}"):
        check_arguments(group, node)


def test_arguments_are_taken_as_the_target_takes_them():
    node = {"_target_": "torch.optim.Adam", "lr": 1, "betas": [0, 0.9], "foreach": None}
    assert repr(check_arguments("optimizer", node)["lr"]) == "1.0"
    assert check_arguments("optimizer", node)["betas"] == [0.0, 0.9]
    assert signature_of("torch.optim.no_such_thing") is None
    assert signature_of("no_such_package.thing") is None
    assert signature_of("") is None


@pytest.mark.parametrize(
    ("key", "target", "allowed"),
    [
        ("model.stem", "cnnlab.models.resnet18", ["auto", "imagenet", "small"]),
        ("model.stem", "cnnlab.models.nin", ["auto", "imagenet", "small"]),
        ("model.shortcut", "cnnlab.models.resnet20", ["A", "B", "none"]),
        ("model.activation", "cnnlab.models.lenet5", ["tanh", "sigmoid", "relu"]),
        ("model.pooling", "cnnlab.models.lenet5", ["avg", "max"]),
        ("model.output", "cnnlab.models.lenet5_1998", ["linear", "radial"]),
        ("augment.crop.mode", "cnnlab.augment.RandomCrop", ["zeros", "reflect"]),
    ],
)
def test_an_options_choices_are_known_before_anything_is_imported(key, target, allowed):
    group, _, option = key.rpartition(".")
    with pytest.raises(UserError, match=f"^{re.escape(f'{key} must be one of {allowed}, got')} 'x'$"):
        check_arguments(group, {"_target_": target, option: "x"})
