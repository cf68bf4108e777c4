"""Splits are complete, disjoint and stratified; the order of batches depends on seed and epoch."""

import pytest
import torch

from cnnlab.data.datamodule import ImageDataModule
from cnnlab.data.splits import IndexBatches, Stream, generator_for, stratified
from cnnlab.errors import UserError


@pytest.fixture
def digits(data_root):
    def make(**options) -> ImageDataModule:
        module = ImageDataModule("digits", data_root, download=False, **options)
        module.setup()
        return module

    return make


def test_stratified_preserves_class_proportions_and_returns_the_exact_count():
    labels = torch.tensor([0] * 70 + [1] * 20 + [2] * 10)
    chosen = stratified(labels, 33, seed=0)
    assert len(chosen) == len(chosen.unique()) == 33
    counts = labels[chosen].bincount()
    assert (counts - torch.tensor([23.1, 6.6, 3.3])).abs().max() < 1
    assert torch.equal(chosen, stratified(labels, 33, seed=0))
    assert not torch.equal(chosen, stratified(labels, 33, seed=1))


@pytest.mark.parametrize("count", [0, 1, 100])
def test_stratified_can_draw_none_one_or_all_images(count):
    assert len(stratified(torch.arange(100) % 7, count, seed=0)) == count


def test_validation_images_are_taken_from_the_training_set(digits):
    module = digits(val_size=144)
    train, val = set(module.train.indices.tolist()), set(module.val.indices.tolist())
    assert len(val) == 144
    assert not train & val
    assert train | val == set(range(1437))
    assert len(module.test) == 360


def test_a_fraction_and_a_number_give_the_same_split_for_all_seeds(digits):
    fraction, number = digits(val_size=0.1, seed=1), digits(val_size=144, seed=2)
    assert torch.equal(fraction.val.indices, number.val.indices)
    assert not torch.equal(fraction.val.indices, digits(split_seed=1).val.indices)


def test_train_size_and_limit_are_stratified(digits):
    module = digits(train_size=500, limit=100, batch_size=50)
    assert (len(module.train), len(module.val), len(module.test)) == (100, 100, 100)
    assert len(digits(train_size=500).train) == 500
    assert len(digits(train_size=500).val) == 144  # all
    assert len(digits(train_size=100, batch_size=50).val) == 100
    assert (module.train.labels.bincount() - 10).abs().max() <= 1


def test_limited_images_that_do_not_fill_a_batch_form_one_batch(digits):
    (batch,) = digits(limit=40, batch_size=128).train_dataloader()
    assert len(batch[1]) == 40


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val_size": 0.0001}, "data.val_size=0.0001 of 1,437 training images is none; use more, or 0"),
        ({"val_size": 1437}, "data.val_size must be below the 1,437 training images of digits, got 1,437"),
        (
            {"train_size": 1400},
            "data.train_size must be at most 1,293, .* without the 144 for validation, got 1,400",
        ),
        ({"batch_size": 1294}, "data.batch_size must be at most the 1,293 training images, got 1,294"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(digits, options, message):
    with pytest.raises(UserError, match=message):
        digits(**options)


def test_training_batches_are_full_and_their_order_depends_on_the_epoch(digits):
    loader = digits(batch_size=100, seed=3).train_dataloader()
    labels = []
    for epoch in (0, 1, 0):
        loader.sampler.set_epoch(epoch)
        batches = list(loader)
        assert len(batches) == len(loader) == 12
        assert all(images.shape == (100, 1, 28, 28) and images.dtype == torch.uint8 for images, _, _ in batches)
        labels.append(torch.cat([y for _, y, _ in batches]))
    assert torch.equal(labels[0], labels[2])
    assert not torch.equal(labels[0], labels[1])


def test_every_training_image_is_used_within_a_few_epochs():
    batches = IndexBatches(103, 10, shuffle=True)
    seen = set()
    for epoch in range(5):
        batches.set_epoch(epoch)
        order = torch.cat(list(batches)).tolist()
        assert len(order) == len(set(order)) == 100
        seen |= set(order)
    assert seen == set(range(103))


def test_evaluation_uses_every_image_once_in_order(digits):
    module = digits(eval_batch_size=77)
    batches = list(module.test_dataloader())
    assert [len(y) for _, y in batches] == [77, 77, 77, 77, 52]
    assert torch.equal(torch.cat([y for _, y in batches]), module.dataset.test.labels)


def test_generators_depend_on_each_part_of_their_key():
    keys = [(stream, *key) for stream in Stream for key in [(), (0,), (0, 0), (1, 0), (0, 1), (0, 0, 1)]]
    draws = [torch.rand((), generator=generator_for(*key)).item() for key in keys]
    # SeedSequence ignores trailing zeros, but no purpose uses keys of different lengths.
    assert len(set(draws)) == 4 * 4
