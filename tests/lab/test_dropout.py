"""What a layer does in training and testing, and what dropout does against learning by heart."""

import pytest
import torch

from cnnlab.lab import dropout
from cnnlab.lab.digits import digits
from cnnlab.lab.dropout import P, curves, layer
from cnnlab.lab.finding import Settings


def test_a_value_is_dropped_or_doubled_in_training_and_itself_in_testing():
    x, first, second, mean, tested = layer(seed=0).values()
    for values in (first, second):
        assert ((values == 0) | (values == 2 * x)).all()
        assert 0 < (values == 0).double().mean() < 1
    assert not first.equal(second)
    assert tested.equal(x)
    assert (mean / x - 1).abs().max() < 5 / 1000**0.5  # five deviations of a mean of a thousand 0s and 2s


@pytest.mark.parametrize("seed", [0, 1])
def test_dropout_learns_by_heart_more_slowly_and_lowers_the_least_validation_loss(seed):
    train, val = digits(200, seed)
    bare, dropped = (curves(p, train, val, seed, epochs=40) for p in (0.0, P))
    assert bare["train/loss"][-1] < dropped["train/loss"][-1] < 0.1
    assert min(dropped["val/loss"]) < min(bare["val/loss"])
    assert bare["val/loss"][-1] > 10 * bare["train/loss"][-1]


def test_the_same_seed_gives_the_same_curves_and_leaves_the_global_generator_alone():
    train, val = digits(100, 0)
    before = torch.get_rng_state()
    assert curves(P, train, val, 3, epochs=2) == curves(P, train, val, 3, epochs=2)
    assert torch.get_rng_state().equal(before)
    assert curves(P, train, val, 3, epochs=2) != curves(P, train, val, 4, epochs=2)


def test_the_finding_has_a_curve_a_seed(monkeypatch):
    monkeypatch.setattr(dropout, "EPOCHS", 2)
    monkeypatch.setattr(dropout, "SEEDS", 2)
    finding = dropout.experiment(Settings())
    assert [[len(run["val/loss"]) for run in runs] for runs in finding.values["runs"].values()] == [[2, 2], [2, 2]]
    assert "mean of the input" in finding.text
