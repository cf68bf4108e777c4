"""Fully connected layers as convolutions: the same logits at the native size, a sliding window on larger images."""

import pytest
import torch
from torch import nn

from cnnlab import models
from cnnlab.analysis.convolutionize import convolutionize
from cnnlab.analysis.trace import trace
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
def test_logits_are_equal_at_the_native_size_and_a_map_on_larger_images(name, channels, size):
    net = built(name, channels, size)
    converted = convolutionize(net, channels, size)
    assert not any(isinstance(module, nn.Linear) for module in converted.modules())
    assert sum(p.numel() for p in converted.parameters()) == sum(p.numel() for p in net.parameters())
    x = torch.randn(2, channels, size, size)
    with torch.no_grad():
        native, larger = converted(x), converted(torch.randn(1, channels, size + 64, size + 32))
        torch.testing.assert_close(native.flatten(1), net(x), rtol=1e-4, atol=1e-5)
    assert native.shape == (2, 10, 1, 1)
    assert larger.shape[2] > larger.shape[3] > 1


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998"])
def test_without_padding_the_logit_map_equals_a_sliding_window(name):
    """LeNet-5 at 32 pixels has no padding, so each logit depends on its own window of the image only."""
    if name not in models.__all__:
        pytest.skip(f"no network {name}")
    net = built(name, 1, 32)
    image = torch.randn(1, 1, 44, 57)
    converted = convolutionize(net, 1, 32)
    field = trace(converted, 1, (44, 57)).rows[-1].field
    assert field is not None
    assert [(axis.first, axis.size) for axis in field.axes] == [(0, 32), (0, 32)]
    with torch.no_grad():
        logits = converted(image)
        assert logits.shape == (1, 10, 4, 7)
        for row in range(4):
            for column in range(7):
                top, left = row * field.vertical.jump, column * field.horizontal.jump
                window = image[:, :, top : top + 32, left : left + 32]
                torch.testing.assert_close(logits[:, :, row, column], net(window), rtol=1e-4, atol=1e-5)


def test_with_padding_inner_logits_see_pixels_where_a_window_has_zeros():
    net = built("lenet5", 1, 28)
    image = torch.randn(1, 1, 44, 44)
    with torch.no_grad():
        logits = convolutionize(net, 1, 28)(image)[:, :, 1, 1]
        assert not torch.allclose(logits, net(image[:, :, 4:32, 4:32]), atol=1e-3)


def test_the_original_network_is_unchanged():
    net = built("lenet5", 1, 28)
    converted = convolutionize(net, 1, 28)
    with torch.no_grad():
        for parameter in converted.parameters():
            parameter.zero_()
    assert all(parameter.abs().sum() > 0 for parameter in net.parameters())
    assert isinstance(net.c5, nn.Linear)


@pytest.mark.parametrize("model", POOLED)
def test_a_network_with_global_pooling_is_rejected(model):
    with pytest.raises(ValueError, match=r"net must flatten a feature map before \w+, got global pooling"):
        convolutionize(built(model, 3, 32), 3, 32)


def test_a_network_without_fully_connected_layers_is_rejected():
    with pytest.raises(ValueError, match="net must have fully connected layers, got none"):
        convolutionize(nn.Conv2d(1, 1, kernel_size=3), 1, 8)


class Softmax(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 64), nn.Linear(64, 2)

    def forward(self, x):
        x = x.flatten(1)
        return self.second(torch.relu(self.first(x)).softmax(1))


def test_layers_that_are_not_a_chain_are_rejected():
    with pytest.raises(ValueError, match="net must have fully connected layers in a chain, got softmax after first"):
        convolutionize(Softmax(), 1, 8)


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_a_network_that_fx_cannot_trace_is_rejected():
    with pytest.raises(ValueError, match=r"net must be traceable by torch.fx: "):
        convolutionize(Branching(), 1, 8)
