"""A builder's signature, name, module and documentation; the protocols that networks implement."""

import inspect
import pickle

import numpy as np
import pytest
import torch

from cnnlab import models
from cnnlab.analysis.cost import count_parameters
from cnnlab.models.protocols import HasAuxiliaryHeads, HasStem, HasWhitening
from tests.models.networks import MODELS, arguments

# The options of each builder, with their defaults, and the module that defines it.
OPTIONS = {
    "alexnet": ("alexnet", {"response_norm": False, "dropout": 0.5, "stem": "auto"}),
    "alexnet_2012": ("alexnet", {"response_norm": True, "dropout": 0.5, "stem": "auto"}),
    "cnn": ("cnn", {"blocks": 3, "width": 32, "batch_norm": True, "global_pooling": False}),
    "cnn_notes": ("cnn_notes", {"blocks": 3, "width": 16, "hidden": 64, "batch_norm": True}),
    "densenet121": ("densenet", {"stem": "auto"}),
    "fastnet": (
        "fastnet",
        {"widths": (64, 256, 256), "whitening_images": 5000, "bias_until": 1.0, "dirac": True, "scale": 1 / 9},
    ),
    "googlenet": ("googlenet", {"batch_norm": False, "auxiliary": True, "dropout": 0.4, "stem": "auto"}),
    "googlenet_d2l": ("googlenet_d2l", {}),
    "lenet5": ("lenet", {"activation": "tanh", "pooling": "avg"}),
    "lenet5_1998": ("lenet", {"output": "linear"}),
    "mlp": ("mlp", {"hidden": (512, 256), "dropout": 0.2}),
    "mobilenet_v1": ("mobilenet", {"width": 1.0, "stem": "auto"}),
    "mobilenet_v2": ("mobilenet", {"width": 1.0, "dropout": 0.2, "stem": "auto"}),
    "nin": ("nin", {"dropout": 0.5, "stem": "auto"}),
    "nin_d2l": ("nin_d2l", {"dropout": 0.5}),
    "preact_resnet18": ("preact_resnet", {"stem": "auto"}),
    **{f"resnet{depth}": ("resnet", {"stem": "auto", "shortcut": "B"}) for depth in (18, 34, 50)},
    **{f"resnet{depth}": ("resnet", {"shortcut": "A"}) for depth in (20, 32, 44, 56, 110)},
    "resnext29_32x4d": ("resnext", {"cardinality": 32, "width": 4}),
    "se_resnet18": ("se_resnet", {"stem": "auto", "shortcut": "B"}),
    **{f"vgg{depth}": ("vgg", {"batch_norm": False, "dropout": None, "stem": "auto"}) for depth in (11, 13, 16, 19)},
    "wrn_28_10": ("wide_resnet", {"depth": 28, "width": 10, "dropout": 0.0}),
    "zfnet": ("zfnet", {"response_norm": True, "dropout": 0.5, "stem": "auto"}),
}  # fmt: skip
# in_channels, num_classes and image_size; the others are for ImageNet.
IMAGENET = (3, 1000, 224)
IMAGES = {
    "googlenet_d2l": (1, 10, 96), "nin_d2l": (1, 10, 224),
    "lenet5": (1, 10, 28), "lenet5_1998": (1, 10, 32), "mlp": (1, 10, 28),
    **dict.fromkeys(
        ["cnn", "cnn_notes", "fastnet", "nin", "preact_resnet18", "resnet20", "resnet32", "resnet44", "resnet56",
         "resnet110", "resnext29_32x4d", "wrn_28_10"], (3, 10, 32),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", models.__all__)
def test_signature_shows_the_builders_own_defaults(name):
    images = dict(zip(("in_channels", "num_classes", "image_size"), IMAGES.get(name, IMAGENET), strict=True))
    parameters = inspect.signature(getattr(models, name)).parameters
    assert list(parameters)[:3] == list(images)
    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert {key: parameter.default for key, parameter in parameters.items()} == images | OPTIONS[name][1]


@pytest.mark.parametrize("name", models.__all__)
@pytest.mark.parametrize("argument", ["in_channels", "num_classes", "image_size"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "must be at least 1, got 0"),
        (-3, "must be at least 1, got -3"),
        (2.0, r"must be an integer, got 2\.0"),
        ("3", "must be an integer, got '3'"),
    ],
)
def test_shapes_that_are_not_positive_integers_are_refused(name, argument, value, message):
    with pytest.raises(ValueError, match=f"^{argument} {message}$"):
        getattr(models, name)(**{argument: value})


def test_integers_of_numpy_are_accepted():
    assert models.lenet5(np.int64(1), np.int64(7)).output.out_features == 7


def test_options_can_be_positional():
    net = models.alexnet_2012(1, 10, 32, False, 0.25, "small")
    assert isinstance(net.norm1, torch.nn.Identity)
    assert (net.dropout6.p, net.stem) == (0.25, "small")


@pytest.mark.parametrize("name", models.__all__)
def test_a_builder_knows_its_name_and_module(name):
    builder = getattr(models, name)
    assert (builder.__name__, builder.__module__) == (name, f"cnnlab.models.{OPTIONS[name][0]}")
    assert pickle.loads(pickle.dumps(builder)) is builder


@pytest.mark.parametrize("name", models.__all__)
def test_documentation_states_the_parameter_count_and_every_option(name):
    builder = getattr(models, name)
    with torch.device("meta"):
        net = builder()
    count = count_parameters(net)
    if name == "googlenet":
        count -= count_parameters(net.auxiliary1) + count_parameters(net.auxiliary2)
    documentation = inspect.getdoc(builder)
    assert f"{count:,} parameters" in documentation
    if name != "se_resnet18":  # its class refers to ResNet
        assert all(f"`{option}`" in documentation or f"{option}: " in documentation for option in OPTIONS[name][1])


@pytest.mark.parametrize("model", MODELS)
def test_options_of_a_configuration_are_those_of_its_builder(model):
    options = arguments(model)
    name = options.pop("_target_").rpartition(".")[2]
    assert set(options) == set(OPTIONS[name][1])


def test_an_argument_that_belongs_to_the_papers_row_is_refused():
    with pytest.raises(TypeError, match="depths"):
        models.vgg11(depths=(1, 1, 1, 1, 1))


@pytest.mark.parametrize("name", models.__all__)
def test_networks_implement_the_protocols(name):
    with torch.device("meta"):
        net = getattr(models, name)()
    assert isinstance(net, HasStem) == ("stem" in OPTIONS[name][1])
    assert isinstance(net, HasWhitening) == (name == "fastnet")
    assert isinstance(net, HasAuxiliaryHeads) == (name == "googlenet")
