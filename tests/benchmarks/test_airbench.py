"""The opponent of the speed recipe is the published network, schedule, augmentation and optimizer."""

import json

import pytest
import torch
import torch.nn.functional as F

from cnnlab import models
from cnnlab.augment.views import logits_of_views
from cnnlab.benchmarks import airbench
from cnnlab.training import muon


@pytest.fixture
def images():
    return torch.randint(256, (64, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture
def net(images):
    torch.manual_seed(0)
    return airbench.new_net(airbench.prepare(images, torch.float32), torch.float32)


def test_the_network_is_the_published_one(net, images):
    scales = 2 * (64 + 256 + 256)  # of the norms, fixed
    assert sum(p.numel() for p in net.parameters()) == 1_971_640 + scales
    ours = models.fastnet(scale=1 / 256)
    names = [name for name in ours.state_dict() if "head" not in name]
    theirs = dict(zip(names, (p for name, p in net.state_dict().items() if "head" not in name), strict=True))
    ours.load_state_dict(theirs | {"head.weight": net.head.weight})
    x = airbench.prepare(images, torch.float32)
    torch.testing.assert_close(net(x), ours(x), rtol=1e-4, atol=1e-5)  # in training mode, with the batch's statistics
    assert net.head.weight.std().item() == pytest.approx(1)


def test_the_first_layer_whitens_patches(net, images):
    patches = F.unfold(airbench.prepare(images, torch.float32), kernel_size=2).transpose(1, 2).flatten(0, 1)
    white = patches @ net.whiten.weight[:12].flatten(1).T
    torch.testing.assert_close(white.T @ white / len(white), torch.eye(12), atol=0.02, rtol=0)
    assert torch.equal(net.whiten.weight[12:], -net.whiten.weight[:12])


def test_learning_rates_fall_linearly_to_zero_and_those_of_the_whitening_biases_in_three_epochs(net):
    optimizers = sgd, filters = airbench.optimizers_of(net)
    for step, part, first in ((0, 1, 1), (50, 0.75, 1 / 3), (75, 0.625, 0), (199, 0.005, 0)):
        airbench.set_learning_rates(optimizers, step, steps_per_epoch=25)
        assert [group["lr"] for group in sgd.param_groups] == pytest.approx([first * 0.053, part * 0.053, part * 0.67])
        assert filters.param_groups[0]["lr"] == pytest.approx(part * 0.24)
    decays = [group["weight_decay"] * group["initial_lr"] for group in sgd.param_groups]
    assert decays == pytest.approx([0.004] * 3)  # 2e-6 per image of a batch


def test_a_filter_is_normalized_and_then_moved_by_its_orthogonalized_momentum(monkeypatch):
    monkeypatch.setattr(muon, "has_bf16_units", lambda device: False)
    filters = torch.nn.Parameter(torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(0)))
    optimizer = airbench.Muon([filters], lr=0.24, momentum=0.6)
    buffer = torch.zeros_like(filters)
    for i in range(2):
        filters.grad = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(i + 1))
        buffer = 0.6 * buffer + filters.grad
        direction = muon.orthogonalized((filters.grad + 0.6 * buffer).flatten(1), steps=3)
        expected = filters.detach() * 8**0.5 / filters.detach().norm() - 0.24 * direction.view_as(filters)
        optimizer.step()
        torch.testing.assert_close(filters.detach(), expected)


def test_each_image_is_shifted_by_at_most_two_pixels_and_reflected_in_every_other_epoch(monkeypatch):
    monkeypatch.setattr(airbench, "BATCH", 100)
    count = 250
    images = torch.arange(count * 3 * 36 * 36, dtype=torch.float64).view(count, 3, 36, 36)
    seen = set()
    for epoch in (0, 1):
        found = [(image, label) for x, labels in airbench.batches(images, torch.arange(count), epoch)
                 for image, label in zip(x, labels.tolist(), strict=True)]  # fmt: skip
        assert len(found) == 200  # full batches
        assert len({label for _, label in found}) == 200
        for image, label in found:
            crop = image.flip(-1) if epoch else image
            corner = int(crop[0, 0, 0]) - label * 3 * 36 * 36
            top, left = divmod(corner, 36)
            assert torch.equal(crop, images[label, :, top : top + 32, left : left + 32])
            seen.add((top, left))
    assert seen == {(top, left) for top in range(5) for left in range(5)}


def test_the_views_are_those_of_our_evaluation(net, images):
    net.eval()
    x = airbench.prepare(images, torch.float32)
    torch.testing.assert_close(airbench.predict(net, x, views=True), logits_of_views(net, x, "flip_shift"))
    assert torch.equal(airbench.predict(net, x, views=False), net(x))


def test_the_biases_of_the_first_layer_are_fixed_after_three_epochs(net, images):
    x, labels = airbench.prepare(images, torch.float32), torch.arange(64) % 10
    for early in (True, False):
        airbench.train_step(net, airbench.optimizers_of(net), x, labels, early=early)
        before = net.whiten.bias.clone()
        logits = net(x, train_whitening_bias=early)
        logits.sum().backward()
        assert (net.whiten.bias.grad is not None) is early
        net.zero_grad()
        assert torch.equal(before, net.whiten.bias)


def test_the_script_trains_and_prints_its_result(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(airbench, "BATCH", 40)
    monkeypatch.setattr(airbench, "EPOCHS", 2)
    labels = torch.arange(80) % 10
    images = (25 * labels[:, None, None, None] + torch.randint(20, (80, 3, 32, 32))).to(torch.uint8)
    path = tmp_path / "images.pt"
    torch.save({"train": images, "train_labels": labels, "test": images, "test_labels": labels}, path)
    airbench.main(str(path), "3")
    result = json.loads(capsys.readouterr().out)
    assert result["seed"] == 3
    assert result["seconds"] > 0
    assert 0 <= result["test"] <= 100
    assert 0 <= result["test with views"] <= 100
