"""Receptive fields: textbook values, published ones, and the arithmetic against gradients for every network."""

import pytest
import torch
from torch import nn

from cnnlab import models
from cnnlab.analysis.field import Axis, Field, Window, union
from cnnlab.analysis.measured_field import measured_field
from cnnlab.analysis.trace import trace
from cnnlab.errors import UserError
from tests.analysis.subjects import MODELS, subject
from tests.models.networks import FAST, marked

PUBLISHED = {"alexnet": 195, "vgg16": 212, "mobilenet_v1": 315}
WHOLE = {"se_resnet18"}  # each block's gate pools globally
WITHOUT_MAP = {"mlp"}
LARGE = {"googlenet_bn", "preact_resnet18"}
MEASURED = [model for model in MODELS if model not in WITHOUT_MAP]


@pytest.mark.parametrize("model", marked(MEASURED, fast=FAST - LARGE))
def test_the_measured_field_is_the_computed_one(model):
    found = subject(model)
    assert measured_field(found.net, found.trace) == found.trace.field


@pytest.mark.parametrize("model", [model for model in PUBLISHED if model in MODELS])
def test_fields_are_the_published_ones(model):
    field = subject(model).trace.field
    assert field is not None
    assert (field.vertical.size, field.horizontal.size) == (PUBLISHED[model], PUBLISHED[model])


@pytest.mark.parametrize("model", marked())
def test_only_networks_that_pool_globally_on_the_way_see_the_whole_image(model):
    assert (subject(model).trace.field is None) == (model in WHOLE | WITHOUT_MAP)


def test_two_stacked_3x3_convolutions_see_all_of_5x5():
    net = nn.Sequential(nn.Conv2d(1, 1, kernel_size=3), nn.Conv2d(1, 1, kernel_size=3))
    row = trace(net, 1, 5).rows[-1]
    assert row.shape == (1, 1, 1)
    assert row.field == Field(Axis(0, 4, 1), Axis(0, 4, 1))


def test_size_jump_and_start_of_the_guides_example():
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
def test_a_layers_measured_field_is_the_computed_one(layer):
    taken = trace(layer, 2, 17)
    assert taken.field is not None
    assert measured_field(layer, taken) == taken.field


def test_branches_see_what_the_widest_sees():
    fields = Field(Axis(0, 2, 2), Axis(-1, 1, 2)), Field(Axis(-1, 1, 2), Axis(0, 0, 2))
    assert union(fields) == Field(Axis(-1, 2, 2), Axis(-1, 1, 2))
    assert union([*fields, None]) is None
    with pytest.raises(ValueError, match="units lie at different distances"):
        union([Field(), fields[0]])


class Unequal(nn.Module):
    """Adds two maps of the same size whose units lie at different distances."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(1, 1, kernel_size=5)
        self.wide = nn.Conv2d(1, 1, kernel_size=1, stride=2)

    def forward(self, x):
        return self.narrow(x) + self.wide(x)


def test_maps_that_do_not_fit_together_are_told():
    with pytest.raises(UserError, match="add: maps are joined whose units lie at different distances in the picture"):
        trace(Unequal(), 1, 8)


def test_a_network_without_maps_has_no_field_to_measure():
    net = models.mlp()
    with pytest.raises(UserError, match="measured on a map, and this network has none"):
        measured_field(net, trace(net, 1, 28))


def test_an_adaptive_pooling_on_the_way_is_told():
    net = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Conv2d(3, 3, kernel_size=3))
    with pytest.raises(UserError, match="not measured behind 0: avg pool to 4x4 changes with the image"):
        measured_field(net, trace(net, 3, 8))


def test_measuring_leaves_the_network_alone():
    net = models.lenet5().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    measured_field(net, trace(net, 1, 28))
    assert net.training
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
