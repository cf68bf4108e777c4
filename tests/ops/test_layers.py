"""Normalization, activations, linear layers, dropout and losses match PyTorch, and so do their modules."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnlab import ops
from cnnlab.ops import modules

CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def draw(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()


def same(ours, theirs, *inputs):
    torch.testing.assert_close(ours, theirs, **CLOSE)
    for mine, reference in zip(
        torch.autograd.grad(ours.square().sum(), inputs),
        torch.autograd.grad(theirs.square().sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(mine, reference, **CLOSE)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
def test_activations_match_torch_and_do_not_overflow(name):
    x = draw(5, 7)
    same(getattr(ops, name)(x), getattr(torch, name)(x), x)
    edge = torch.tensor([0.0, 1e-8, -1e-8], dtype=torch.float64, requires_grad=True)
    same(getattr(ops, name)(edge), getattr(torch, name)(edge), edge)
    assert getattr(ops, name)(torch.tensor(torch.nan)).isnan()
    far = torch.tensor([-1000.0, -0.0, 1000.0], requires_grad=True)
    torch.testing.assert_close(getattr(ops, name)(far), getattr(torch, name)(far))
    (gradient,) = torch.autograd.grad(getattr(ops, name)(far).sum(), far)
    assert gradient.isfinite().all()


def test_softmax_and_cross_entropy_match_torch_and_do_not_overflow():
    x, labels = draw(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    same(ops.softmax(x, 1), F.softmax(x, 1), x)
    same(ops.log_softmax(x, 1), F.log_softmax(x, 1), x)
    same(ops.cross_entropy(x, labels), F.cross_entropy(x, labels), x)
    far = torch.tensor([[1e4, 0.0, -1e4]])
    assert ops.cross_entropy(far, torch.tensor([2])) == 2e4


def test_linear_matches_torch_and_reports_mismatched_features():
    x, weight, bias = draw(3, 7), draw(4, 7), draw(4)
    same(ops.linear(x, weight, bias), F.linear(x, weight, bias), x, weight, bias)
    with pytest.raises(ValueError, match="x must have 6 features for this weight, got 7"):
        ops.linear(x, torch.ones(4, 6))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5), (4, 3, 5, 7)])
def test_batch_norm_matches_torch_with_its_running_statistics(shape, training):
    x, weight, bias = draw(*shape), draw(3), draw(3)
    ours, theirs = ([torch.ones(3, dtype=torch.float64), torch.full((3,), 2.0, dtype=torch.float64)] for _ in "ab")
    same(
        ops.batch_norm(x, *ours, weight, bias, training, 0.3, 1e-3),
        F.batch_norm(x, *theirs, weight, bias, training, 0.3, 1e-3),
        x, weight, bias,
    )  # fmt: skip
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference, **CLOSE)


def test_batch_norm_of_one_value_per_channel_raises():
    with pytest.raises(
        ValueError, match=r"x must have more than 1 value per channel in training, got shape \(1, 3, 1, 1\)"
    ):
        ops.batch_norm(torch.ones(1, 3, 1, 1), None, None, training=True)


def test_mismatched_shapes_raise():
    with pytest.raises(ValueError, match=r"weight must have shape \(3,\), got \(4,\)"):
        ops.batch_norm(torch.ones(2, 3, 5), None, None, torch.ones(4), torch.ones(4), training=True)
    with pytest.raises(ValueError, match=r"labels must have one entry per row of logits \(6, 3\), got \(5,\)"):
        ops.cross_entropy(torch.ones(6, 3), torch.zeros(5, dtype=torch.int64))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 20])
def test_local_response_norm_matches_torch(size):
    x = draw(2, 7, 5, 4)
    same(ops.local_response_norm(x, size, 0.3, 0.6, 2.0), F.local_response_norm(x, size, 0.3, 0.6, 2.0), x)


def test_dropout_preserves_the_mean_in_training_and_the_input_in_evaluation():
    x = torch.ones(200, 500)
    y = ops.dropout(x, 0.4, generator=torch.Generator().manual_seed(0))
    assert y.unique().tolist() == [0.0, pytest.approx(1 / 0.6)]
    zeros = (y == 0).double().mean()
    assert abs(zeros - 0.4) < 5 * math.sqrt(0.4 * 0.6 / x.numel())
    again = ops.dropout(x, 0.4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(y, again)
    assert torch.equal(ops.dropout(x, 0.4, training=False), x)
    assert not ops.dropout(x, 1.0).any()
    with pytest.raises(ValueError, match=r"p must be between 0 and 1, got 1\.5"):
        ops.dropout(x, 1.5)


PAIRS = [
    (modules.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)),
    (modules.Conv2d(4, 6, 3, padding="same", method="fft"), nn.Conv2d(4, 6, 3, padding="same")),
    (modules.Conv2d(4, 6, 3, padding=2, padding_mode="reflect"), nn.Conv2d(4, 6, 3, padding=2, padding_mode="reflect")),
    (modules.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)),
    (modules.AvgPool2d(3, stride=2, count_include_pad=False), nn.AvgPool2d(3, stride=2, count_include_pad=False)),
    (modules.GlobalAvgPool2d(), nn.AdaptiveAvgPool2d(1)),
    (modules.L2Pool2d(2), nn.LPPool2d(2, 2)),
    (modules.BatchNorm2d(4), nn.BatchNorm2d(4)),
    (modules.LocalResponseNorm(3), nn.LocalResponseNorm(3)),
    (modules.Linear(6, 3), nn.Linear(6, 3)),
    (modules.Dropout(0.0), nn.Dropout(0.0)),
    (modules.ReLU(), nn.ReLU()),
    (modules.Sigmoid(), nn.Sigmoid()),
    (modules.Tanh(), nn.Tanh()),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda module: type(module).__name__)
def test_modules_match_torch_with_the_same_state(ours, theirs):
    ours.double().load_state_dict(theirs.double().state_dict())
    for _ in range(2):
        x = draw(2, 4, 7, 6)
        y, expected = ours(x), theirs(x)
        torch.testing.assert_close(y, expected, **CLOSE)
        for mine, reference in zip(
            torch.autograd.grad(y.square().sum(), (x, *ours.parameters())),
            torch.autograd.grad(expected.square().sum(), (x, *theirs.parameters())),
            strict=True,
        ):
            torch.testing.assert_close(mine, reference, **CLOSE)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, **CLOSE)
    torch.testing.assert_close(ours.eval()(draw(2, 4, 7, 6)), theirs.eval()(draw(2, 4, 7, 6)), **CLOSE)
