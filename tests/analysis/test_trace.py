"""Traces: rows and their names, and the published tables."""

import time

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnnlab import models
from cnnlab.analysis.calls import shadow
from cnnlab.analysis.cost import count_macs
from cnnlab.analysis.trace import Row, Trace, trace
from tests.analysis.subjects import MODELS, subject
from tests.models.networks import marked

DEPTHS = {
    "lenet5": 5, "lenet5_1998": 5, "alexnet": 8, "alexnet_2012": 8, "zfnet": 8, "vgg11": 11, "vgg13": 13, "vgg16": 16,
    "vgg19": 19, "nin": 9, "googlenet": 22, "resnet18": 18, "resnet34": 34, "resnet50": 50, "resnet20": 20,
    "resnet56": 56, "resnet110": 110, "plain18": 18, "plain56": 56, "preact_resnet18": 18, "se_resnet18": 18,
    "resnext29_32x4d": 29, "densenet121": 121, "mobilenet_v1": 28, "mobilenet_v2": 53,
    "wrn_28_10": 26,  # its name counts two of the projections, which are not on the longest path
}  # fmt: skip

# Name, weights, biases, multiply-accumulates.
LENET5 = (
    ("c1", 150, 6, 117_600),
    ("c3", 2_400, 16, 240_000),
    ("c5", 48_000, 120, 48_000),
    ("f6", 10_080, 84, 10_080),
    ("output", 840, 10, 840),
)

# Name, weights, values of the result; Stanford's CS231n, lecture 9, 2017.
VGG16 = (
    ("conv1_1", 1_728, 3_211_264), ("conv1_2", 36_864, 3_211_264), ("pool1", 0, 802_816),
    ("conv2_1", 73_728, 1_605_632), ("conv2_2", 147_456, 1_605_632), ("pool2", 0, 401_408),
    ("conv3_1", 294_912, 802_816), ("conv3_2", 589_824, 802_816), ("conv3_3", 589_824, 802_816), ("pool3", 0, 200_704),
    ("conv4_1", 1_179_648, 401_408), ("conv4_2", 2_359_296, 401_408), ("conv4_3", 2_359_296, 401_408),
    ("pool4", 0, 100_352),
    ("conv5_1", 2_359_296, 100_352), ("conv5_2", 2_359_296, 100_352), ("conv5_3", 2_359_296, 100_352),
    ("pool5", 0, 25_088),
    ("fc6", 102_760_448, 4_096), ("fc7", 16_777_216, 4_096), ("fc8", 4_096_000, 1_000),
)  # fmt: skip


def rows_of(traced: Trace) -> dict[str, Row]:
    """Rows by the last part of their name."""
    return {row.name.rpartition(".")[2]: row for row in traced.rows}


def test_lenet5_matches_the_published_table():
    rows = [row for row in subject("lenet5").trace.rows if row.macs]
    assert [(row.name, row.weights, row.biases, row.macs) for row in rows] == list(LENET5)


def test_vgg16_matches_the_published_table():
    if "vgg16" not in MODELS:
        pytest.skip("no network vgg16")
    traced = subject("vgg16").trace
    rows = rows_of(traced)
    assert [(name, rows[name].weights, rows[name].values) for name, _, _ in VGG16] == list(VGG16)
    assert traced.shape == (3, 224, 224)
    assert traced.total("weights") == sum(weights for _, weights, _ in VGG16)
    assert traced.total("weights") + traced.total("biases") == 138_357_544
    assert round(traced.total("macs") / 1e9, 2) == 15.47


@pytest.mark.parametrize("model", marked())
def test_macs_are_half_of_the_flop_counters_operations(model):
    net, images = subject(model).net, subject(model).images
    x = torch.empty(1, images.in_channels, images.image_size, images.image_size, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shadow(net)(x)
    assert 2 * subject(model).trace.total("macs") == counter.get_total_flops()
    assert subject(model).trace.total("macs") == count_macs(net, images.in_channels, images.image_size)


@pytest.mark.parametrize("model", marked())
def test_every_parameter_belongs_to_one_row_or_to_training_only(model):
    net, traced = subject(model).net, subject(model).trace
    assert traced.parameters == sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)
    heads = sum(p.numel() for name, p in net.named_parameters() if "aux" in name)
    assert traced.unused == heads


@pytest.mark.parametrize("model", marked())
def test_row_names_are_unique_and_the_last_row_is_the_logits(model):
    traced, images = subject(model).trace, subject(model).images
    names = [row.name for row in traced.rows]
    assert len(set(names)) == len(names)
    assert all(names)
    assert traced.rows[-1].shape == (images.num_classes,)


@pytest.mark.parametrize("model", [model for model in DEPTHS if model in MODELS])
def test_depth_matches_the_paper(model):
    assert subject(model).trace.depth == DEPTHS[model]


@pytest.mark.parametrize("model", marked())
@pytest.mark.parametrize("data", ["cifar10", "mnist"])
def test_networks_for_small_images_can_be_traced(model, data):
    found = subject(model, data)
    assert (found.images.num_classes, found.images.image_size) == (10, 32 if data == "cifar10" else 28)
    assert found.trace.total("macs") > 0


@pytest.mark.slow
def test_the_largest_network_takes_under_two_seconds():
    slowest = max(MODELS, key=lambda model: len(subject(model).trace.rows))
    net, images = subject(slowest).net, subject(slowest).images
    start = time.process_time()  # CPU time, independent of other processes
    trace(net, images.in_channels, images.image_size)
    assert time.process_time() - start < 2


class Functions(nn.Module):
    """Operations that module hooks do not see."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, kernel_size=3, padding=1)
        self.scale = nn.Parameter(torch.ones(4))
        self.mask = nn.Parameter(torch.ones(4, 4, 1, 1))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.relu(self.conv(x))
        x = x + x * self.scale[:, None, None]
        x = torch.cat([x, F.conv2d(x, self.mask * 2.0)], 1)
        x += 1
        x = torch.relu(F.max_pool2d(self.relu(x), kernel_size=2))
        return F.pad(x[:, :, ::2, ::2], (1, 1)).mean((2, 3))


def test_functions_and_operations_are_rows_and_weights_count_in_the_row_that_uses_them():
    rows = trace(Functions(), 3, 8).rows
    assert [(row.name, row.kind, row.shape, row.weights, row.biases, row.values) for row in rows] == [
        ("conv", "conv 3x3", (4, 8, 8), 108, 4, 256),
        ("relu", "relu", (4, 8, 8), 0, 0, 0),
        ("mul", "mul", (4, 8, 8), 4, 0, 256),
        ("add", "add", (4, 8, 8), 0, 0, 256),
        ("conv2d", "conv 1x1", (4, 8, 8), 16, 0, 256),
        ("cat", "concat", (8, 8, 8), 0, 0, 512),
        ("add_2", "add", (8, 8, 8), 0, 0, 0),
        ("relu_2", "relu", (8, 8, 8), 0, 0, 0),
        ("max_pool2d", "max pool 2x2/2", (8, 4, 4), 0, 0, 128),
        ("relu_3", "relu", (8, 4, 4), 0, 0, 128),
        ("slice", "slice", (8, 2, 2), 0, 0, 0),
        ("pad", "pad", (8, 2, 4), 0, 0, 64),
        ("mean", "global avg pool", (8,), 0, 0, 8),
    ]


def test_tracing_does_not_change_the_network():
    net = models.lenet5().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    trace(net, 1, 28)
    assert net.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_pooling_and_normalization_count_their_own_operations():
    net = nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(3, stride=1), nn.BatchNorm2d(4), nn.LocalResponseNorm(5))
    rows = trace(net, 4, 10).rows
    assert [row.macs for row in rows] == [0, 0, 0, 0]
    assert [row.operations for row in rows] == [3 * 4 * 25, 9 * 4 * 9, 2 * 4 * 9, 9 * 4 * 9]
    assert [row.multiplications for row in rows] == [0, 4 * 9, 4 * 9, 3 * 4 * 9]


class Sorting(nn.Module):
    def forward(self, x):
        return torch.sort(x, 2).values


def test_a_function_without_a_rule_is_rejected():
    with pytest.raises(
        ValueError, match="net cannot be traced at sort: name must be a function with a rule, got 'sort'"
    ):
        trace(Sorting(), 3, 8)


def test_adaptive_pooling_to_a_size_that_does_not_divide_the_map_is_rejected():
    with pytest.raises(ValueError, match=r"traced at 0.adaptive_avg_pool2d: output_size must divide the map's size"):
        trace(nn.Sequential(nn.AdaptiveAvgPool2d(3)), 3, 8)


class Halving(nn.Module):
    def forward(self, x):
        return x.chunk(2, dim=2)[1]


def test_a_change_of_the_maps_size_without_a_rule_is_rejected():
    with pytest.raises(ValueError, match=r"traced at chunk: no rule describes a map of \(8, 8\) that becomes \(4, 8\)"):
        trace(Halving(), 3, 8)


def test_an_image_that_the_network_does_not_accept_is_rejected():
    with pytest.raises(ValueError, match="net must accept an image of 3 x 28 x 28: "):
        trace(models.lenet5(), 3, 28)
