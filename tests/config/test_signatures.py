"""The arguments that a target accepts are read from its source, and are those that Python sees."""

import ast
import inspect
import re

import hydra.utils
import pytest
import torch
import yaml
from torch import nn

from cnnlab.build.targets import make
from cnnlab.config.folders import CONF
from cnnlab.config.signatures import ALLOWED, _type_of, check_arguments, signature_of
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
        (
            "model",
            {"_target_": "cnnlab.models.vgg16", "dropout": "x"},
            "model.dropout must be null or a number from 0 to 1, got",
        ),
        ("optimizer", {"_target_": "torch.optim.Adam", "betas": []}, "optimizer.betas must be a list of 2, each a num"),
        (
            "optimizer",
            {"_target_": "torch.optim.SGD", "lr": True},
            "optimizer.lr must be a number of at least 0",
        ),
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


def numbers() -> dict[str, tuple[str, dict]]:
    """Every number, and list of numbers, in an open group of conf/: its key, and the node with -1 in its place."""
    found = {}
    for group in ALLOWED:
        for path in sorted((CONF / group).glob("*.yaml")):
            content = yaml.safe_load(path.read_text()) or {}
            content.pop("defaults", None)
            for key, node in content.items() if group == "augment" else [(group, content)]:
                place = f"augment.{key}" if group == "augment" else key
                fixed = {name: value for name, value in node.items() if "${" not in str(value)}
                for name, value in fixed.items():
                    if type(value) in (int, float, list):
                        wrong = [-1] * len(value) if isinstance(value, list) else -1
                        found[f"{node['_target_']} {name}"] = (f"{place}.{name}", fixed | {name: wrong})
    del found["cnnlab.models.fastnet scale"]  # any number is a factor of the logits
    return found


@pytest.mark.parametrize(("key", "node"), numbers().values(), ids=numbers())
def test_every_number_of_an_open_group_has_limits(key, node):
    with pytest.raises(UserError, match=f"^{re.escape(key)} must be "):
        check_arguments(key.rpartition(".")[0], node)


LIMITS = [  # an argument, values at its limits, and values beyond them
    ("scheduler.warmup", "cnnlab.training.schedules.Constant", [0, 1], [-0.1, 1.1, 2]),
    ("scheduler.final", "cnnlab.training.schedules.Cosine", [0, 1], [-0.1, 1.1]),
    ("scheduler.milestones", "cnnlab.training.schedules.MultiStep", [[0, 1], []], [[0.5, 1.1]]),
    ("scheduler.period", "cnnlab.training.schedules.Step", [1], [0, 1.1]),
    ("scheduler.factor", "cnnlab.training.schedules.Plateau", [0.99], [0, 1]),
    ("scheduler.patience", "cnnlab.training.schedules.Plateau", [0], [-1, 0.5]),
    ("loss.label_smoothing", "cnnlab.training.losses.SquaredError", [0, 0.99], [-1, 1]),
    ("loss.gamma", "cnnlab.training.losses.Focal", [0], [-0.1]),
    ("augment.crop.padding", "cnnlab.augment.RandomCrop", [0, 1], [-3, 1.1]),
    ("augment.mix.alpha", "cnnlab.augment.CutMix", [0.01], [0]),
    ("model.dropout", "cnnlab.models.vgg16", [0, 1, None], [-0.1, 2]),
    ("model.hidden", "cnnlab.models.mlp", [[1], []], [[0], [2**31]]),
    ("model.widths", "cnnlab.models.fastnet", [[1, 1, 1]], [[0, 1, 1], [1, 1]]),
    ("model.depth", "cnnlab.models.wrn_28_10", [10, 16], [4, 11]),
    ("model.width", "cnnlab.models.mobilenet_v1", [0.01], [0]),
    ("model.cardinality", "cnnlab.models.resnext29_32x4d", [1], [0]),
    ("optimizer.momentum", "torch.optim.SGD", [0], [-1]),
    ("optimizer.betas", "torch.optim.Adam", [[0, 0.99]], [[-0.1, 0], [0, 1]]),
    ("optimizer.sgd_momentum", "cnnlab.training.muon.Muon", [0, 0.99], [1]),
]


@pytest.mark.parametrize(("key", "target", "at", "beyond"), LIMITS, ids=lambda value: str(value).rpartition(".")[2])
def test_limits_are_those_of_the_target(key, target, at, beyond):
    group, _, name = key.rpartition(".")
    parameters = [[nn.Parameter(torch.zeros(1))]] if group == "optimizer" else []
    for value in at:
        node = check_arguments(group, {"_target_": target, name: value})
        with torch.device("meta" if group == "model" else "cpu"):
            make(node, group, *parameters)
    for value in beyond:
        with pytest.raises(UserError, match=f"^{re.escape(key)} must be .*, got {re.escape(str(value))}$"):
            check_arguments(group, {"_target_": target, name: value})
        if not target.startswith("torch."):
            with pytest.raises(ValueError, match=f"^{name} must be .*, got {re.escape(str(value))}$"):
                hydra.utils.get_object(target)(*parameters, **{name: value})


def test_momentum_of_zero_has_no_nesterov_form():
    node = {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0, "nesterov": True}
    with pytest.raises(UserError, match=r"^optimizer\.momentum must be above 0 with nesterov=true, got 0"):
        check_arguments("optimizer", node)


def test_optional_types_are_read_as_older_versions_of_torch_write_them():
    for text in ("Optional[bool]", "bool | None"):
        assert _type_of(ast.parse(text, mode="eval").body) == bool | None
