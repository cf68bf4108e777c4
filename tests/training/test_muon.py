"""Muon equals torch.optim.Muon for matrices and torch.optim.SGD for other parameters; schedules and resuming."""

import copy

import pytest
import torch
from torch import nn

from cnnlab.benchmarks import airbench
from cnnlab.training import muon
from cnnlab.training.muon import Muon, orthogonalized

SHAPES = [(8, 4, 3, 3), (64, 3, 2, 2), (5, 7, 1, 1), (6, 1, 3, 3)]  # wide, tall, 1x1, depthwise


@pytest.fixture(autouse=True)
def has_bf16_units(monkeypatch, request):
    """Whether the device has units for bfloat16, where the iterations run in bfloat16: not, unless a test says so."""
    value = getattr(request, "param", False)
    monkeypatch.setattr(muon, "has_bf16_units", lambda device: value)


def steps_of(parameter: nn.Parameter, optimizer: torch.optim.Optimizer, steps: int = 4) -> torch.Tensor:
    """Return the parameter after steps with the same sequence of random gradients."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        parameter.grad = torch.randn(parameter.numel(), generator=generator).view(parameter.shape)
        optimizer.step()
    return parameter.detach()


def start(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", SHAPES)
def test_filters_are_updated_as_torchs_muon_updates_their_matrix(shape, monkeypatch):
    # Run torch's iteration in float32, as ours on a CPU; releases before 2.15 call the method.
    monkeypatch.setattr(torch, "bfloat16", torch.float32)
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    own = nn.Parameter(start(shape).contiguous(memory_format=torch.channels_last))
    theirs = nn.Parameter(start(shape).flatten(1))
    options = {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.3}
    expected = steps_of(theirs, torch.optim.Muon([theirs], nesterov=True, ns_steps=5, **options))
    torch.testing.assert_close(
        steps_of(own, Muon([own], steps=5, **options)).flatten(1), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("shape", [(8, 4, 3, 3), (6, 1, 3, 3)])
def test_normalized_filters_are_updated_as_in_the_published_recipe(shape):
    own, theirs = nn.Parameter(start(shape)), nn.Parameter(start(shape))
    expected = steps_of(theirs, airbench.Muon([theirs], lr=0.24, momentum=0.6))
    found = steps_of(own, Muon([own], lr=0.24, momentum=0.6, steps=3, normalize=True))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(10, 256), (64,)])
def test_other_parameters_are_updated_as_by_torchs_sgd(shape):
    own, theirs = nn.Parameter(start(shape)), nn.Parameter(start(shape))
    sgd = torch.optim.SGD([theirs], lr=0.3, momentum=0.8, nesterov=True, weight_decay=0.1)
    muon = Muon([own], lr=99, sgd_lr=0.3, sgd_momentum=0.8, sgd_weight_decay=0.1)
    torch.testing.assert_close(steps_of(own, muon), steps_of(theirs, sgd))


@pytest.mark.parametrize("shape", [(16, 40), (40, 16)])
def test_all_singular_values_become_close_to_one(shape):
    u, _, v = torch.linalg.svd(start(shape), full_matrices=False)
    matrix = u @ torch.diag(torch.logspace(-1, 2, 16)) @ v
    out = orthogonalized(matrix, steps=10)
    assert torch.linalg.svdvals(out).min() > 0.6
    assert torch.linalg.svdvals(out).max() < 1.3
    assert (u.T @ out @ v.T).diagonal().min() > 0.6  # with the same singular vectors


@pytest.mark.parametrize("has_bf16_units", [True], indirect=True)
@pytest.mark.parametrize("shape", [(16, 40), (40, 16)])
def test_in_bfloat16_the_result_is_that_of_float32_to_three_digits(shape, monkeypatch):
    matrix = start(shape)
    rounded = orthogonalized(matrix, steps=3)
    monkeypatch.setattr(muon, "has_bf16_units", lambda device: False)
    exact = orthogonalized(matrix, steps=3)
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    assert (rounded - exact).norm() < 0.02 * exact.norm()


def test_five_steps_leave_the_smallest_singular_values_of_a_square_matrix_small():
    values = torch.linalg.svdvals(orthogonalized(start((100, 100)), steps=5))
    assert values[0] < 1.3
    assert values[-1] < 0.5
    # Small values grow by 3.4445 per step.
    before = torch.linalg.svdvals(start((100, 100)) / start((100, 100)).norm())
    assert values[-1] == pytest.approx(3.4445**5 * float(before[-1]), rel=0.1)


def test_filters_with_a_zero_gradient_do_not_change():
    filters = nn.Parameter(start((4, 3, 3, 3)))
    filters.grad = torch.zeros_like(filters)
    Muon([filters]).step()
    assert torch.equal(filters, start((4, 3, 3, 3)))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 5))


def train(net: nn.Module, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LambdaLR, steps: range):
    for i in steps:
        x = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(i))
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), torch.arange(8) % 5).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def optimizer_for(net: nn.Module):
    decayed = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": iter(decayed)}, {"params": iter(rest), "weight_decay": 0.0}]
    optimizer = Muon(groups, lr=0.1, weight_decay=0.1, sgd_lr=0.05, sgd_weight_decay=0.1)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))


def test_each_group_has_its_learning_rate_scaled_by_the_schedule_and_its_weight_decay():
    optimizer, schedule = optimizer_for(network())
    optimizer.step()
    schedule.step()
    groups = [
        ({p.ndim for p in group["params"]}, group["lr"], group["weight_decay"]) for group in optimizer.param_groups
    ]
    assert groups == [({4}, 0.05, 0.1), ({2}, 0.025, 0.1), ({1}, 0.025, 0.0)]


def test_resuming_from_the_state_dict_gives_the_same_bits():
    uninterrupted = network()
    train(uninterrupted, *optimizer_for(uninterrupted), steps=range(6))
    interrupted = network()
    optimizer, schedule = optimizer_for(interrupted)
    train(interrupted, optimizer, schedule, steps=range(3))
    resumed = copy.deepcopy(interrupted)
    new_optimizer, new_schedule = optimizer_for(resumed)
    new_optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    new_schedule.load_state_dict(schedule.state_dict())
    train(resumed, new_optimizer, new_schedule, steps=range(3, 6))
    assert all(torch.equal(a, b) for a, b in zip(uninterrupted.parameters(), resumed.parameters(), strict=True))


@pytest.mark.parametrize("name", ["lr", "weight_decay", "sgd_lr", "sgd_weight_decay"])
def test_a_negative_learning_rate_or_weight_decay_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be a number of at least 0, got -1"):
        Muon([nn.Parameter(torch.zeros(1))], **{name: -1})


@pytest.mark.parametrize("name", ["momentum", "sgd_momentum"])
@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_a_momentum_outside_its_range_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a number of at least 0 and below 1, got {value}"):
        Muon([nn.Parameter(torch.zeros(1))], **{name: value})


@pytest.mark.parametrize("steps", [0, -1, 2.5])
def test_steps_that_are_not_a_positive_integer_are_refused(steps):
    with pytest.raises(ValueError, match=f"steps must be a whole number of at least 1, got {steps}"):
        Muon([nn.Parameter(torch.zeros(1))], steps=steps)
