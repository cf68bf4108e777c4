"""Auxiliary heads contribute to the training loss and are not computed in evaluation."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from cnnlab import models
from cnnlab.augment import Augmentation
from cnnlab.image_spec import ImageSpec
from cnnlab.training.classifier import ImageClassifier
from cnnlab.training.losses import CrossEntropy
from cnnlab.training.schedules import Constant

SPEC = ImageSpec(in_channels=3, image_size=32, num_classes=10, mean=(0.5,) * 3, std=(0.25,) * 3)


def classifier(net: nn.Module) -> ImageClassifier:
    return ImageClassifier(net, CrossEntropy(), torch.optim.SGD, Constant(), Augmentation([], SPEC))


class Pair(NamedTuple):
    logits: Tensor
    auxiliary: Tensor


class TwoHeads(nn.Module):
    auxiliary_weight = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.main, self.auxiliary = nn.Linear(3072, 10), nn.Linear(3072, 10)

    def forward(self, x: Tensor) -> Tensor | Pair:
        x = x.flatten(1)
        return Pair(self.main(x), self.auxiliary(x)) if self.training else self.main(x)


def test_the_loss_of_an_auxiliary_head_is_multiplied_by_its_weight():
    net, x, labels = TwoHeads(), torch.randn(4, 3, 32, 32), torch.tensor([1, 2, 3, 4])
    logits, loss = classifier(net).logits_and_loss(x, labels)
    output = net(x)
    expected = [nn.functional.cross_entropy(head, labels) for head in output]
    torch.testing.assert_close(loss, expected[0] + 0.5 * expected[1])
    torch.testing.assert_close(logits, output.logits)


def test_a_network_without_auxiliary_heads_has_the_loss_of_its_logits():
    net, x, labels = models.mlp(in_channels=3, image_size=32, dropout=0.0), torch.randn(4, 3, 32, 32), torch.arange(4)
    logits, loss = classifier(net).logits_and_loss(x, labels)
    torch.testing.assert_close(loss, nn.functional.cross_entropy(net(x), labels))
    torch.testing.assert_close(logits, net(x))


def test_googlenets_heads_get_gradients_and_are_not_computed_in_evaluation():
    torch.manual_seed(0)
    net = models.googlenet(num_classes=10, image_size=32)
    assert net.auxiliary_weight == 0.3  # section 5 of the paper
    x = torch.randn(2, 3, 32, 32)
    output = net.train()(x)
    assert [tuple(logits.shape) for logits in output] == [(2, 10)] * 3
    model = classifier(net)
    _, loss = model.logits_and_loss(x, torch.tensor([1, 2]))
    loss.backward()
    assert all(p.grad.abs().sum() > 0 for p in net.auxiliary2.parameters())
    for head in (net.auxiliary1, net.auxiliary2):
        head.forward = pytest.fail
    with torch.no_grad():
        assert net.eval()(x).shape == (2, 10)


def test_googlenets_heads_are_optional():
    net = models.googlenet(num_classes=10, image_size=32, auxiliary=False)
    assert net.train()(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    assert not [name for name, _ in net.named_parameters() if "auxiliary" in name]


def test_a_tuple_from_a_network_without_auxiliary_weight_is_an_error():
    class NoWeight(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main = nn.Linear(3072, 10)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.main(x.flatten(1)), self.main(x.flatten(1))

    with pytest.raises(TypeError, match="a network that returns a tuple needs auxiliary_weight, and NoWeight has none"):
        classifier(NoWeight()).logits_and_loss(torch.zeros(2, 3, 32, 32), torch.tensor([1, 2]))
