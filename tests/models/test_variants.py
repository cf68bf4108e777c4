"""Builders: one line each, with the signature of the class less what the line fixes."""

import inspect

import pytest

from cnnlab import models
from cnnlab.models.protocols import HasAuxiliaryHeads, HasStem, Whitened
from cnnlab.models.resnet import CifarResNet


def test_a_builder_has_a_name_a_signature_and_a_docstring():
    assert models.resnet20.__name__ == "resnet20"
    assert models.resnet20.__module__ == "cnnlab.models.resnet"
    assert list(inspect.signature(models.resnet20).parameters) == [
        "in_channels",
        "num_classes",
        "image_size",
        "shortcut",
    ]
    assert models.resnet20.__doc__.startswith("ResNet-20: 269,722 parameters.\n\nThe CIFAR family")
    assert isinstance(models.resnet20(), CifarResNet)


def test_a_builder_may_change_a_default():
    defaults = [
        inspect.signature(build).parameters["response_norm"].default for build in (models.alexnet, models.alexnet_2012)
    ]
    assert defaults == [False, True]


def test_what_a_builder_fixes_cannot_be_given():
    with pytest.raises(TypeError, match="unexpected keyword argument 'depth'"):
        models.resnet20(depth=4)


@pytest.mark.parametrize("name", models.__all__)
def test_no_builder_ignores_the_image_size(name):
    with pytest.raises(ValueError, match=r"needs images of at least \d+ pixels, got 0"):
        getattr(models, name)(image_size=0)


def test_the_protocols_are_those_of_the_networks_that_have_them():
    fast, google, plain = models.fastnet(), models.googlenet(num_classes=10, image_size=32), models.resnet20()
    assert isinstance(fast, Whitened)
    assert isinstance(google, HasAuxiliaryHeads)
    assert isinstance(google, HasStem)
    assert not any(isinstance(plain, protocol) for protocol in (Whitened, HasAuxiliaryHeads, HasStem))
