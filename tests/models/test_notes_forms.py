"""The networks as the study notes code them: equal to their definition, written out here, with equal weights."""

import pytest
import torch
from torch import Tensor, nn

from cnnlab import models


def nin_block(in_channels: int, out_channels: int, kernel_size: int, stride: int, padding: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, 1),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, 1),
        nn.ReLU(),
    )


def nin() -> nn.Sequential:
    return nn.Sequential(
        nin_block(1, 96, 11, 4, 0),
        nn.MaxPool2d(3, 2),
        nin_block(96, 256, 5, 1, 2),
        nn.MaxPool2d(3, 2),
        nin_block(256, 384, 3, 1, 1),
        nn.MaxPool2d(3, 2),
        nn.Dropout(0.5),
        nin_block(384, 10, 3, 1, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


class Inception(nn.Module):
    def __init__(self, in_channels: int, c1: int, c2: tuple[int, int], c3: tuple[int, int], c4: int) -> None:
        super().__init__()
        self.way1 = nn.Sequential(nn.Conv2d(in_channels, c1, 1), nn.ReLU())
        self.way2 = nn.Sequential(
            nn.Conv2d(in_channels, c2[0], 1), nn.ReLU(), nn.Conv2d(c2[0], c2[1], 3, padding=1), nn.ReLU()
        )
        self.way3 = nn.Sequential(
            nn.Conv2d(in_channels, c3[0], 1), nn.ReLU(), nn.Conv2d(c3[0], c3[1], 5, padding=2), nn.ReLU()
        )
        self.way4 = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), nn.Conv2d(in_channels, c4, 1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.way1(x), self.way2(x), self.way3(x), self.way4(x)), dim=1)


def googlenet() -> nn.Sequential:
    def pool() -> nn.MaxPool2d:
        return nn.MaxPool2d(3, 2, padding=1)

    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 64, 7, 2, 3), nn.ReLU(), pool()),
        nn.Sequential(nn.Conv2d(64, 64, 1), nn.ReLU(), nn.Conv2d(64, 192, 3, padding=1), pool()),
        nn.Sequential(
            Inception(192, 64, (96, 128), (16, 32), 32), Inception(256, 128, (128, 192), (32, 96), 64), pool()
        ),
        nn.Sequential(
            Inception(480, 192, (96, 208), (16, 48), 64),
            Inception(512, 160, (112, 224), (24, 64), 64),
            Inception(512, 128, (128, 256), (24, 64), 64),
            Inception(512, 112, (144, 288), (32, 64), 64),
            Inception(528, 256, (160, 320), (32, 128), 128),
            pool(),
        ),
        nn.Sequential(
            Inception(832, 256, (160, 320), (32, 128), 128),
            Inception(832, 384, (192, 384), (48, 128), 128),
            nn.AdaptiveAvgPool2d(1),
        ),
        nn.Flatten(),
        nn.Linear(1024, 10),
    )


def cnn() -> nn.Sequential:
    layers: list[nn.Module] = []
    for in_channels in (3, 16, 16):
        layers += [nn.Conv2d(in_channels, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
    head = [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 16 * 16, 64), nn.ReLU(), nn.Linear(64, 10)]
    return nn.Sequential(*layers, *head)


@pytest.mark.parametrize(
    ("definition", "ours", "channels", "side"),
    [(nin, models.nin_d2l, 1, 224), (googlenet, models.googlenet_d2l, 1, 96), (cnn, models.cnn_notes, 3, 32)],
)
@pytest.mark.parametrize("training", [False, True])
def test_outputs_equal_the_definition(definition, ours, channels, side, training):
    torch.manual_seed(0)
    expected, net = definition(), ours()
    pairs = zip(expected.state_dict().values(), net.state_dict().values(), strict=True)
    for value, own in pairs:
        value.copy_(own)
    x = torch.randn(2, channels, side, side)
    with torch.no_grad():
        torch.manual_seed(1)  # of dropout
        wanted = expected.train(training)(x)
        torch.manual_seed(1)
        found = net.train(training)(x)
    assert wanted.std() > 0
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_the_notes_network_pools_once_and_ours_in_every_block():
    pools = [sum(isinstance(m, nn.MaxPool2d) for m in net.modules()) for net in (models.cnn_notes(), models.cnn())]
    assert pools == [1, 3]


def test_global_pooling_averages_each_map_before_the_last_layer():
    net = models.cnn(global_pooling=True).eval()
    x = torch.randn(2, 3, 32, 32)
    expected = net.classifier(net.blocks(x).mean((2, 3)))
    torch.testing.assert_close(net(x), expected)
    assert net.classifier.weight.shape == (10, 128)
