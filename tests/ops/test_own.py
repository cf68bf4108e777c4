"""With our operators in place of the library's, any network computes the same and learns the same."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnlab import models
from cnnlab.ops.own import OWN, use_own_operators
from tests.models.networks import without_dropout

NETWORKS = {
    "lenet5": (lambda: models.lenet5(image_size=12), 1, 12),
    "lenet5_1998": (lambda: models.lenet5_1998(image_size=12), 1, 12),
    "alexnet": (lambda: models.alexnet_2012(image_size=15, num_classes=10), 3, 15),
    "resnet18": (lambda: models.resnet18(image_size=8, num_classes=10), 3, 8),
    "googlenet": (lambda: models.googlenet_d2l(image_size=16), 1, 16),
}


def learning_curve(net, images, labels):
    """The loss before each of four steps of gradient descent, in float64."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    losses = []
    for _ in range(4):
        loss = F.cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", NETWORKS)
def test_the_training_curve_matches_the_librarys(name):
    build, channels, side = NETWORKS[name]
    torch.manual_seed(0)
    net = without_dropout(build()).double()
    ours = copy.deepcopy(net)
    use_own_operators(ours)
    x, labels = torch.randn(4, channels, side, side, dtype=torch.float64), torch.arange(4)
    assert learning_curve(ours, x, labels) == pytest.approx(learning_curve(net, x, labels), rel=1e-7)


@pytest.mark.parametrize(
    "layer",
    [nn.Conv2d(2, 3, 3), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Linear(6, 2), nn.BatchNorm2d(2),
     nn.LocalResponseNorm(2), nn.Dropout(), nn.ReLU(), nn.ReLU(inplace=True), nn.Sigmoid(), nn.Tanh()],
    ids=lambda layer: str(layer).partition("(")[0],
)  # fmt: skip
def test_each_kind_of_layer_calls_our_operator(layer, monkeypatch):
    called = []

    def recorded(function):
        return lambda *args, **kwargs: called.append(function) or function(*args, **kwargs)

    for function, own in list(OWN.items()):
        monkeypatch.setitem(OWN, function, recorded(own))
    net = nn.Sequential(layer)
    use_own_operators(net)
    net(torch.randn(4, 2, 6, 6))
    assert len(called) == 1


def test_only_the_network_itself_uses_our_operators():
    net = models.lenet5()
    use_own_operators(net)
    with pytest.raises(ValueError, match="channels"):
        net(torch.zeros(1, 3, 28, 28))  # fails within the forward pass
    x = torch.tensor([float("nan")])
    assert torch.relu(x).isnan()


def test_an_operator_without_our_form_is_refused():
    net = nn.Sequential(nn.AdaptiveAvgPool2d(2))
    use_own_operators(net)
    with pytest.raises(ValueError, match="output_size must be 1 for our global average pooling, got 2"):
        net(torch.zeros(1, 1, 4, 4))
