"""The plain script learns, and its batches have the shape and statistics of ours."""

import numpy as np
import pytest
import torch

from cnnlab import models
from cnnlab.benchmarks import loops, plain
from cnnlab.benchmarks.noise import NoiseData, crop_and_flip
from cnnlab.build.check import build_augmentation
from cnnlab.config.compose import compose
from cnnlab.errors import UserError


def test_the_plain_script_learns_a_few_images():
    torch.manual_seed(0)
    images = np.random.default_rng(0).integers(256, size=(16, 28, 28), dtype=np.uint8)
    transform = plain.make_transform(28, 28, padding=0, flip=False, mean=(0.5,), std=(0.3,))
    loader = plain.make_loader(images, list(range(10)) + list(range(6)), transform, batch_size=16)
    training = plain.Training(models.lenet5(), lr=0.05, device="cpu")
    batch = next(iter(loader))
    losses = [training.step(*batch) for _ in range(100)]
    assert losses[-1] < 0.2 < losses[0]


@pytest.mark.parametrize(
    "arguments", [("data=digits",), ("data=cifar10",), ("data=cifar10", "data.image_size=48")], ids=" ".join
)
def test_plain_batches_have_the_shape_and_statistics_of_ours(arguments):
    cfg = compose("benchmark", [*arguments, "data.batch_size=256"])
    data = NoiseData(cfg, 256)
    x, labels = next(loops.plain_batches(cfg, data))
    augmentation = build_augmentation(cfg.augment, data.spec)
    ours, our_labels = augmentation(*next(iter(data.train_dataloader()))[:2], torch.Generator().manual_seed(0))
    assert x.shape == ours.shape
    assert x.dtype == ours.dtype
    assert labels.bincount().tolist() == our_labels.bincount().tolist()  # each image once
    assert torch.allclose(x.mean((0, 2, 3)), ours.mean((0, 2, 3)), atol=0.03)
    assert torch.allclose(x.std((0, 2, 3)), ours.std((0, 2, 3)), atol=0.03)
    # Crops extend beyond the border, so the mean pixel in a corner is darker than in the middle, equally in both.
    side = x.shape[-1] // 2
    dark = [(images[:, :, side, side] - images[:, :, 0, 0]).mean() for images in (x, ours)]
    assert dark[0] == pytest.approx(dark[1], abs=0.25)
    assert min(dark) > 0.25


def test_without_augmentation_plain_batches_equal_ours():
    cfg = compose("benchmark", ["data=mnist", "augment=none", "data.batch_size=32"])
    data = NoiseData(cfg, 32)
    x, _ = next(loops.plain_batches(cfg, data))
    augmentation = build_augmentation(cfg.augment, data.spec)
    ours, _ = augmentation(*next(iter(data.train_dataloader()))[:2], torch.Generator())
    order, our_order = (images.flatten(1).double().sum(1).argsort() for images in (x, ours))
    assert torch.allclose(x[order], ours[our_order], atol=1e-5)


def test_images_are_flipped_only_where_the_label_allows_it():
    assert crop_and_flip(compose("benchmark", ["data=cifar10"])) == (4, True)
    assert crop_and_flip(compose("benchmark", ["data=mnist", "augment=crop_flip"])) == (4, False)
    assert crop_and_flip(compose("benchmark", ["augment=none"])) == (0, False)


def test_augmentation_that_the_plain_script_does_not_have_is_refused():
    message = r"bench=train compares .*: augment must be none, translate or crop_flip, got CutMix"
    with pytest.raises(UserError, match=message):
        crop_and_flip(compose("benchmark", ["data=cifar10", "augment=cutmix"]))
    with pytest.raises(UserError, match="got RandomCrop, AlternatingFlip"):
        crop_and_flip(compose("benchmark", ["data=cifar10", "augment=alternating_flip"]))
