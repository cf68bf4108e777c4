"""Any network computes and learns the same with every method, and its state dict does not change."""

import copy
import warnings
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnlab import models
from cnnlab.analysis.cost import count_macs
from cnnlab.config.sections import Convolution
from cnnlab.ops import modules
from cnnlab.ops.swap import CHOICES, swap_convolutions

OWN = [method for method in CHOICES if method != "torch"]
STEPS = 10


def learning_curve(net, images, labels):
    """The loss before each of ten steps of gradient descent with momentum, in float64."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    losses = []
    for _ in range(STEPS):
        loss = F.cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def curves(build, method, images=4):
    """The learning curves of the same network from the same weights, with PyTorch and with `method`."""
    torch.manual_seed(0)
    net = build().double()
    channels, size = next(net.parameters()).shape[1], net.image_size
    x = torch.randn(images, channels, size, size, dtype=torch.float64)
    labels = torch.arange(images)
    ours = copy.deepcopy(net)
    swap_convolutions(ours, method)
    return learning_curve(net, x, labels), learning_curve(ours, x, labels)


def sized(build, size, **arguments):
    def make():
        net = build(image_size=size, num_classes=10, **arguments)
        net.image_size = size
        return net

    return make


SUBJECTS = {
    "cnn": sized(models.cnn, 8, blocks=2, width=4),
    "lenet5": sized(models.lenet5, 12, in_channels=1),
    "resnet18": sized(models.resnet18, 8, in_channels=3),
}
PAIRS = [
    pytest.param(name, method, marks=pytest.mark.slow if name == "resnet18" else ())
    for name in SUBJECTS
    for method in OWN
]


@pytest.mark.parametrize(("name", "method"), PAIRS)
def test_the_training_curve_matches_torch(name, method):
    expected, ours = curves(SUBJECTS[name], method)
    assert expected[-1] < expected[0]
    assert ours == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("model", ["lenet5_1998", "mobilenet_v2", "googlenet", "resnext29_32x4d"])
def test_any_network_has_the_same_logits(model):
    torch.manual_seed(0)
    net = getattr(models, model)(num_classes=10, image_size=32, in_channels=1).double().eval()
    x = torch.randn(2, 1, 32, 32, dtype=torch.float64)
    before, names = net(x), list(net.state_dict())
    count = swap_convolutions(net, "winograd")
    assert set(count) <= {"winograd", "im2col"}
    torch.testing.assert_close(net(x), before, rtol=1e-9, atol=1e-9)
    assert list(net.state_dict()) == names
    swap_convolutions(net, "torch")
    assert not any(isinstance(module, modules.Conv2d) for module in net.modules())
    assert torch.equal(net(x), before)


def test_unsupported_layers_use_im2col_and_are_counted():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 5), nn.Conv2d(2, 2, 3, stride=2), nn.Conv2d(2, 2, 3))
    assert swap_convolutions(net, "winograd") == {"winograd": 2, "im2col": 2}
    assert [layer.method for layer in net] == ["winograd", "im2col", "im2col", "winograd"]
    assert swap_convolutions(models.lenet5_1998(), "fft") == {"fft": 2}


def test_a_traced_network_has_one_convolution_per_layer():
    net = models.lenet5()
    swap_convolutions(net, "loop")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, but TensorBoard's graph needs it
        traced = torch.jit.trace(net, torch.zeros(1, 1, 28, 28))
    assert str(traced.inlined_graph).count("aten::_convolution") == 2


@pytest.mark.parametrize("method", ["auto", "im2col"])
def test_a_swapped_network_has_the_same_number_of_macs(method):
    net = models.resnet18(num_classes=10, image_size=32)
    before = count_macs(net, 3, 32)
    swap_convolutions(net, method)
    assert count_macs(net, 3, 32) == before


def test_an_unknown_method_is_rejected_and_the_configuration_allows_every_method():
    with pytest.raises(ValueError, match=r"method must be one of .*, got 'magic'"):
        swap_convolutions(nn.Sequential(), "magic")
    assert get_args(Convolution) == CHOICES
