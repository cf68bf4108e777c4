"""Where the gradient of a deep network vanishes, where it grows, and how it is preserved."""

import re

import pytest
import torch

from cnnlab.lab.finding import Settings
from cnnlab.lab.vanishing_gradient import DEPTH, SEEDS, Stack, described, experiment, gradient_norms, normalized


@pytest.fixture(scope="module")
def values():
    return experiment(Settings()).values


def test_each_layer_of_each_network_has_a_norm(values):
    stacks, sigmoids, convolutions = (list(panel.values()) for panel in values["norms"].values())
    for runs, layers in ((stacks + sigmoids, DEPTH), (convolutions, 55)):
        assert [[len(norms) for norms in by_seed] for by_seed in runs] == [[layers] * SEEDS] * len(runs)


def test_the_gradient_vanishes_with_sigmoids_and_not_with_tanh_and_relu(values):
    ratios = next(iter(values["first_to_last"].values()))
    assert ratios["sigmoid"] < 0.25 ** (DEPTH / 2)
    assert 0.1 < ratios["tanh"] < 10
    assert 0.1 < ratios["ReLU"] < 10


def test_shortcuts_or_batch_norm_prevent_vanishing_with_sigmoids(values):
    ratios = values["first_to_last"]["30 layers of sigmoids"]
    assert ratios["plain"] < 1e-12
    assert 0.02 < ratios["with shortcuts"] < 50
    assert 0.02 < ratios["with batch norm"] < 50


def test_batch_norm_without_shortcuts_makes_the_gradient_grow(values):
    ratios = values["first_to_last"]["55 convolutions with ReLU"]
    assert ratios["plain56"] > 20 * ratios["resnet56"] > 20
    assert 0.05 < ratios["plain56, no batch norm"] < 20
    assert 0.05 < ratios["resnet56, no batch norm"] < 20


def test_without_batch_norm_the_gradient_is_tiny_or_large_in_all_layers(values):
    norms = values["norms"]["55 convolutions with ReLU"]
    assert max(max(run) for run in norms["plain56, no batch norm"]) < 1e-3
    assert min(min(run) for run in norms["resnet56, no batch norm"]) > 10
    assert all(0.1 < norm < 50 for run in norms["resnet56"] for norm in run)


def test_the_same_seed_gives_the_same_norms():
    data = normalized(0)
    first, again, other = (gradient_norms(lambda: Stack("tanh"), data, seed) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("norms", "words"),
    [([1e-4, 1e-4], "tiny .* is preserved"), ([99.0, 30.0], "large .* is preserved"), ([50.0, 0.5], "grows"),
     ([1e-5, 1.0], "vanishes")],
)  # fmt: skip
def test_the_conclusion_depends_on_the_norms(norms, words):
    assert re.search(words, described(torch.tensor([norms])))
