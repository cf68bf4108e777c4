"""Objects of a run: values that no network accepts are reported with their configuration key."""

import pytest
import torch

from cnnlab.build.objects import build_classifier, build_datamodule, choose_convolutions
from cnnlab.config.compose import compose
from cnnlab.errors import UserError
from cnnlab.models import lenet5


def test_an_unknown_convolution_method_is_reported_with_its_key():
    with pytest.raises(UserError, match=r"conv: method must be one of \['auto', 'torch', .*, got 'magic'"):
        choose_convolutions(lenet5(in_channels=1, num_classes=10, image_size=28), "magic")


def test_the_order_of_the_images_has_a_seed_of_its_own(data_root):
    """It changes the batches and not the weights; without it, the seed decides both."""

    def start(*overrides: str) -> tuple[torch.Tensor, torch.Tensor]:
        cfg = compose("train", [f"data.root={data_root}", *overrides])
        data = build_datamodule(cfg)
        weights = next(build_classifier(cfg, data).net.parameters())
        return next(iter(data.train_dataloader()))[0], weights

    (images, weights), (reordered, same_weights), (as_seed, others) = map(
        start, ("seed=0", "data.order_seed=1", "seed=1")
    )
    assert torch.equal(weights, same_weights)
    assert not torch.equal(images, reordered)
    assert torch.equal(reordered, as_seed)
    assert not torch.equal(weights, others)
