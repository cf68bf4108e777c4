"""Fully connected layers as convolutions: equal at the native size, a sliding window on a larger picture."""

import pytest
import torch
from torch import nn

from cnnlab import models
from cnnlab.analysis.convolutionize import convolutionize
from cnnlab.analysis.trace import trace
from cnnlab.errors import UserError
from tests.analysis.subjects import MODELS

FLAT = [
    ("lenet5", 1, 28), ("lenet5", 1, 32), ("lenet5_1998", 1, 32), ("cnn", 3, 32), ("mlp", 1, 28), ("alexnet", 3, 32),
    ("alexnet_2012", 3, 32), ("zfnet", 3, 32), ("vgg11", 3, 32), pytest.param("vgg11", 3, 64, marks=pytest.mark.slow),
    pytest.param("alexnet", 3, 224, marks=pytest.mark.slow), pytest.param("zfnet", 3, 224, marks=pytest.mark.slow),
    pytest.param("vgg16", 3, 224, marks=pytest.mark.slow),
]  # fmt: skip
CHAINS = [case for case in FLAT if (case if isinstance(case, tuple) else case.values)[0] in models.__all__]
POOLED = [model for model in ("resnet18", "googlenet", "densenet121", "mobilenet_v2") if model in MODELS]


def built(name: str, channels: int, size: int) -> nn.Module:
    torch.manual_seed(0)
    return getattr(models, name)(in_channels=channels, num_classes=10, image_size=size).eval()


@pytest.mark.parametrize(("name", "channels", "size"), CHAINS)
def test_scores_are_equal_at_the_native_size_and_a_map_beyond(name, channels, size):
    net = built(name, channels, size)
    scored = convolutionize(net, channels, size)
    assert not any(isinstance(module, nn.Linear) for module in scored.modules())
    assert sum(p.numel() for p in scored.parameters()) == sum(p.numel() for p in net.parameters())
    x = torch.randn(2, channels, size, size)
    with torch.no_grad():
        native, larger = scored(x), scored(torch.randn(1, channels, size + 64, size + 32))
        torch.testing.assert_close(native.flatten(1), net(x), rtol=1e-4, atol=1e-5)
    assert native.shape == (2, 10, 1, 1)
    assert larger.shape[2] > larger.shape[3] > 1


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998"])
def test_without_padding_the_map_is_the_sliding_windows_result(name):
    """LeNet-5 at 32 pixels pads nothing, so each score has seen its window of the picture only."""
    if name not in models.__all__:
        pytest.skip(f"there is no {name} yet")
    net = built(name, 1, 32)
    picture = torch.randn(1, 1, 44, 57)
    scored = convolutionize(net, 1, 32)
    field = trace(scored, 1, (44, 57)).rows[-1].field
    assert field is not None
    assert [(axis.first, axis.size) for axis in field.axes] == [(0, 32), (0, 32)]
    with torch.no_grad():
        scores = scored(picture)
        assert scores.shape == (1, 10, 4, 7)
        for row in range(4):
            for column in range(7):
                top, left = row * field.vertical.jump, column * field.horizontal.jump
                window = picture[:, :, top : top + 32, left : left + 32]
                torch.testing.assert_close(scores[:, :, row, column], net(window), rtol=1e-4, atol=1e-5)


def test_with_padding_inner_scores_see_neighbors_where_a_window_has_zeros():
    net = built("lenet5", 1, 28)
    picture = torch.randn(1, 1, 44, 44)
    with torch.no_grad():
        score = convolutionize(net, 1, 28)(picture)[:, :, 1, 1]
        assert not torch.allclose(score, net(picture[:, :, 4:32, 4:32]), atol=1e-3)


def test_the_network_keeps_its_own_weights():
    net = built("lenet5", 1, 28)
    scored = convolutionize(net, 1, 28)
    with torch.no_grad():
        for parameter in scored.parameters():
            parameter.zero_()
    assert all(parameter.abs().sum() > 0 for parameter in net.parameters())
    assert isinstance(net.c5, nn.Linear)


@pytest.mark.parametrize("model", POOLED)
def test_global_pooling_leaves_no_map(model):
    with pytest.raises(UserError, match=r"needs a flattened map before .*, and this network pools globally"):
        convolutionize(built(model, 3, 32), 3, 32)


def test_a_network_without_fully_connected_layers_is_told():
    with pytest.raises(UserError, match="convolutionize needs fully connected layers, and this network has none"):
        convolutionize(nn.Conv2d(1, 1, kernel_size=3), 1, 8)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 64), nn.Linear(64, 2)

    def forward(self, x):
        x = x.flatten(1)
        return self.second(torch.relu(self.first(x)).softmax(1))


def test_layers_that_are_no_chain_are_told():
    with pytest.raises(UserError, match="needs fully connected layers in a chain, got softmax after first"):
        convolutionize(Residual(), 1, 8)
