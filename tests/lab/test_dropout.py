"""The effect of dropout on a layer in training and evaluation, and on overfitting."""

import pytest
import torch

from cnnlab.lab import dropout
from cnnlab.lab.digits import digits
from cnnlab.lab.dropout import P, curves, layer
from cnnlab.lab.finding import Settings


def test_training_drops_or_doubles_values_and_evaluation_leaves_them_unchanged():
    x, first, second, mean, evaluated = layer(seed=0).values()
    for values in (first, second):
        assert ((values == 0) | (values == 2 * x)).all()
        assert 0 < (values == 0).double().mean() < 1
    assert not first.equal(second)
    assert evaluated.equal(x)
    assert (mean / x - 1).abs().max() < 5 / 1000**0.5  # five standard deviations of a mean of a thousand 0s and 2s


@pytest.mark.parametrize("seed", [0, 1])
def test_dropout_fits_more_slowly_and_lowers_the_minimum_validation_loss(seed):
    train, val = digits(200, seed)
    bare, dropped = (curves(p, train, val, seed, epochs=40) for p in (0.0, P))
    assert bare["train/loss"][-1] < dropped["train/loss"][-1] < 0.1
    assert min(dropped["val/loss"]) < min(bare["val/loss"])
    assert bare["val/loss"][-1] > 10 * bare["train/loss"][-1]


def test_the_same_seed_gives_the_same_curves_and_does_not_change_the_global_generator():
    train, val = digits(100, 0)
    before = torch.get_rng_state()
    assert curves(P, train, val, 3, epochs=2) == curves(P, train, val, 3, epochs=2)
    assert torch.get_rng_state().equal(before)
    assert curves(P, train, val, 3, epochs=2) != curves(P, train, val, 4, epochs=2)


def test_the_finding_has_one_curve_per_seed(monkeypatch):
    monkeypatch.setattr(dropout, "EPOCHS", 2)
    monkeypatch.setattr(dropout, "SEEDS", 2)
    finding = dropout.experiment(Settings())
    assert [[len(run["val/loss"]) for run in runs] for runs in finding.values["runs"].values()] == [[2, 2], [2, 2]]
    assert "the input has mean" in finding.text
