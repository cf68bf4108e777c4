"""Training images that grow: the sides over the epochs, what the network is given, and who can take it."""

import pytest
import torch

from cnnlab.config import compose
from cnnlab.errors import UserError
from cnnlab.learn.resolution import Resolution
from cnnlab.runs.training import train

QUICK = ("data=digits", "model=resnet20", "data.limit=64", "logger=none", "data.download=false")


def test_sides_grow_evenly_to_the_full_one():
    growing = Resolution(first=20, full_from=0.75)
    assert [growing.side(epoch / 8, full=32) for epoch in range(8)] == [20, 22, 24, 26, 28, 30, 32, 32]
    assert growing.side(0.5, full=32) == 28
    assert {Resolution().side(epoch / 8, full=32) for epoch in range(8)} == {32}
    assert Resolution(first=20, full_from=0).side(0.0, full=32) == 32


def test_the_network_is_given_small_images_first_and_evaluated_on_full_ones(data_root, tmp_path, monkeypatch):
    from cnnlab.nets.resnet import CifarResNet

    seen = []
    forward = CifarResNet.forward

    def watched(net, x: torch.Tensor) -> torch.Tensor:
        if not x.is_meta:
            seen.append((net.training, x.shape[-1]))
        return forward(net, x)

    monkeypatch.setattr(CifarResNet, "forward", watched)
    places = (f"data.root={data_root}", f"log_dir={tmp_path}")
    train(compose("train", [*QUICK, *places, "trainer.max_epochs=4", "resolution.first=16"]))
    assert list(dict.fromkeys(side for training, side in seen if training)) == [16, 20, 24, 28]
    assert {side for training, side in seen if not training} == {28}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["resolution.first=29"], "resolution.first must be at most data's 28 pixels, got 29"),
        (["resolution.first=20", "model=lenet5"], "resolution.first=20: this network takes no images of 20 pixels"),
    ],
)
def test_sides_that_cannot_be_are_told(overrides, message, data_root, tmp_path):
    with pytest.raises(UserError, match=message):
        train(compose("train", [*QUICK, f"data.root={data_root}", f"log_dir={tmp_path}", *overrides]))
