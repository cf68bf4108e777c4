"""What is counted and averaged over a set of images."""

import pytest
import torch

from cnnlab.data import description
from cnnlab.data.datamodule import Subset
from cnnlab.data.description import by_class_in_turn, describe
from cnnlab.data.images import Split


@pytest.fixture
def subset(monkeypatch) -> Subset:
    monkeypatch.setattr(description, "CHUNK", 7)  # so that there are several
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (40, 3, 5, 5), dtype=torch.uint8, generator=generator)
    labels = torch.arange(40) % 3
    return Subset(Split(images, labels), torch.arange(0, 40, 2))


def test_mean_and_deviation_are_those_of_the_pixels(subset):
    found = describe(subset, num_classes=4)
    pixels = subset.split.images[::2].double().transpose(0, 1).flatten(1) / 255
    assert found.mean == pytest.approx(pixels.mean(1).tolist())
    assert found.std == pytest.approx(pixels.std(1, correction=0).tolist())


def test_the_mean_of_a_class_is_that_of_its_images_and_zero_without_images(subset):
    found = describe(subset, num_classes=4)
    images, labels = subset.split.images[::2].float() / 255, subset.labels
    assert torch.allclose(found.class_means[1], images[labels == 1].mean(0))
    assert not found.class_means[3].any()
    assert found.class_counts.tolist() == [*torch.bincount(labels).tolist(), 0]


def test_images_are_chosen_class_by_class_until_a_class_has_no_more():
    labels = torch.tensor([0, 0, 0, 0, 1, 2, 2])
    positions = by_class_in_turn(labels, 10, torch.Generator().manual_seed(0))
    assert labels[positions].tolist() == [0, 1, 2, 0, 2, 0, 0]
    assert sorted(positions.tolist()) == list(range(7))


def test_the_choice_of_images_depends_on_the_generator_alone():
    labels = torch.arange(200) % 2
    first, again, other = (by_class_in_turn(labels, 10, torch.Generator().manual_seed(n)) for n in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
