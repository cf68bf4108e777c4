"""Receptive fields: textbook and published values, and for every network the arithmetic against gradients."""

import pytest
import torch
from torch import nn

from cnnlab import models
from cnnlab.analysis.field import Axis, Field, Window, union
from cnnlab.analysis.measured_field import measured_field
from cnnlab.analysis.trace import trace
from tests.analysis.subjects import MODELS, subject
from tests.models.networks import FAST, marked

PUBLISHED = {"alexnet": 195, "vgg16": 212, "mobilenet_v1": 315}
WHOLE = {"se_resnet18"}  # each block's gate pools globally
WITHOUT_MAP = {"mlp"}
LARGE = {"googlenet_bn", "preact_resnet18"}
MEASURED = [model for model in MODELS if model not in WITHOUT_MAP]


@pytest.mark.parametrize("model", marked(MEASURED, fast=FAST - LARGE))
def test_the_measured_field_equals_the_computed_one(model):
    found = subject(model)
    assert measured_field(found.net, found.trace) == found.trace.field


@pytest.mark.parametrize("model", [model for model in PUBLISHED if model in MODELS])
def test_fields_equal_the_published_values(model):
    field = subject(model).trace.field
    assert field is not None
    assert (field.vertical.size, field.horizontal.size) == (PUBLISHED[model], PUBLISHED[model])


@pytest.mark.parametrize("model", marked())
def test_only_networks_with_global_pooling_before_their_last_map_see_the_whole_image(model):
    assert (subject(model).trace.field is None) == (model in WHOLE | WITHOUT_MAP)


def test_two_stacked_3x3_convolutions_see_5x5_pixels():
    net = nn.Sequential(nn.Conv2d(1, 1, kernel_size=3), nn.Conv2d(1, 1, kernel_size=3))
    row = trace(net, 1, 5).rows[-1]
    assert row.shape == (1, 1, 1)
    assert row.field == Field(Axis(0, 4, 1), Axis(0, 4, 1))


def test_size_jump_and_start_of_a_published_example():
    """Dang Ha The Hien, 2017, two 3x3 convolutions of stride 2 and padding 1."""
    axis = Axis().through(Window(3, stride=2, padding=1))
    assert (axis.size, axis.jump, axis.start) == (3, 2, 0.5)
    axis = axis.through(Window(3, stride=2, padding=1))
    assert (axis.size, axis.jump, axis.start) == (7, 4, 0.5)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 3, kernel_size=(3, 5), stride=(2, 1), padding=(0, 2)),
        nn.Conv2d(2, 3, kernel_size=3, dilation=2, padding="same"),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        nn.AvgPool2d(2, stride=1),
        nn.Sequential(nn.Conv2d(2, 4, kernel_size=3, stride=3), nn.ReLU6(), nn.AvgPool2d(3, stride=2, padding=1)),
    ],
    ids=["oblong", "dilated", "rounded up", "average", "stacked"],
)
def test_the_measured_field_of_a_layer_equals_the_computed_one(layer):
    traced = trace(layer, 2, 17)
    assert traced.field is not None
    assert measured_field(layer, traced) == traced.field


def test_the_union_of_fields_covers_all_of_them():
    fields = Field(Axis(0, 2, 2), Axis(-1, 1, 2)), Field(Axis(-1, 1, 2), Axis(0, 0, 2))
    assert union(fields) == Field(Axis(-1, 2, 2), Axis(-1, 1, 2))
    assert union([*fields, None]) is None
    with pytest.raises(ValueError, match=r"fields must have the same jump, got \(1, 1\) and \(2, 2\)"):
        union([Field(), fields[0]])


class Unequal(nn.Module):
    """Adds two maps of the same size with different jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(1, 1, kernel_size=5)
        self.wide = nn.Conv2d(1, 1, kernel_size=1, stride=2)

    def forward(self, x):
        return self.narrow(x) + self.wide(x)


def test_maps_with_different_jumps_are_rejected():
    with pytest.raises(ValueError, match="net cannot be traced at add: fields must have the same jump"):
        trace(Unequal(), 1, 8)


def test_a_network_without_feature_maps_is_rejected():
    net = models.mlp()
    with pytest.raises(ValueError, match="traced must have a feature map to measure a receptive field, got none"):
        measured_field(net, trace(net, 1, 28))


def test_adaptive_pooling_before_the_last_map_is_rejected():
    net = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Conv2d(3, 3, kernel_size=3))
    with pytest.raises(ValueError, match=r"traced must have no adaptive pooling .*, got 0: avg pool to 4x4"):
        measured_field(net, trace(net, 3, 8))


def test_measuring_does_not_change_the_network():
    net = models.lenet5().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    measured_field(net, trace(net, 1, 28))
    assert net.training
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
