"""The weights of each kind of layer, and the accuracy on shifted digits."""

import pytest
import torch
from torch import nn

from cnnlab.analysis.cost import count_parameters
from cnnlab.lab import conv_vs_dense
from cnnlab.lab.conv_vs_dense import NETWORKS, SHIFTS, LocallyConnected, accuracy_by_shift, counts, formulas, shifted
from cnnlab.lab.finding import Settings


def test_a_fully_connected_layer_has_921600_weights_and_a_convolution_9():
    assert counts() == {"fully connected": 921_600, "locally connected": 30 * 30 * 9, "convolution": 9}


def test_the_formulas_equal_the_traced_counts_of_lenet5():
    rows = {row["layer"]: row for row in formulas()}
    for layer, parameters, multiplications in (("c1", 156, 117_600), ("c3", 2_416, 240_000)):
        assert rows[layer]["parameters"] == rows[layer]["traced_parameters"] == parameters
        assert rows[layer]["multiplications"] == rows[layer]["traced_multiplications"] == multiplications


def test_a_locally_connected_layer_with_shared_weights_is_a_convolution():
    layer, conv = LocallyConnected(2, 3, 3, 7).double(), nn.Conv2d(2, 3, kernel_size=3).double()
    with torch.no_grad():
        layer.weight.copy_(conv.weight.flatten(1)[:, :, None])
        layer.bias.copy_(conv.bias[:, None])
    x = torch.randn(4, 2, 7, 7, dtype=torch.float64)
    torch.testing.assert_close(layer(x), conv(x))


def test_the_networks_have_nearly_equal_numbers_of_parameters():
    parameters = [count_parameters(build()) for build in NETWORKS.values()]
    assert max(parameters) < 1.05 * min(parameters)


def test_images_shift_in_four_directions_and_stay_complete():
    images = torch.nn.functional.pad(torch.rand(2, 1, 8, 8), [2] * 4)
    directions = [direction for direction, _ in shifted((images, torch.zeros(2)), 2)]
    corners = [(x[0, 0].sum(1).nonzero()[0].item(), x[0, 0].sum(0).nonzero()[0].item()) for x in directions]
    assert corners == [(0, 2), (4, 2), (2, 0), (2, 4)]
    torch.testing.assert_close(torch.stack(directions).sum((1, 2, 3, 4)), images.sum().expand(4))


@pytest.fixture(scope="module")
def accuracies() -> dict[str, list[list[float]]]:
    """For each network, the accuracies of each seed."""
    return {name: [accuracy_by_shift(build, seed, epochs=5) for seed in (0, 1)] for name, build in NETWORKS.items()}


def test_convolution_tolerates_shifts_better_and_global_pooling_best(accuracies):
    dense, local, conv, pooled = accuracies.values()
    for seed in range(2):
        assert min(run[seed][0] for run in (dense, local, conv, pooled)) > 75
        assert conv[seed][1] > max(dense[seed][1], local[seed][1]) + 3
        assert pooled[seed][2] > max(dense[seed][2], local[seed][2], conv[seed][2]) + 10
        assert max(dense[seed][2], local[seed][2]) < 25


def test_the_same_seed_gives_the_same_result(accuracies):
    name = "convolutional"
    assert accuracy_by_shift(NETWORKS[name], 0, epochs=5) == accuracies[name][0]


@pytest.mark.parametrize(("shared", "pooled", "refuted"), [(60, 90, 0), (10, 90, 1), (60, 40, 1), (10, 5, 2)])
def test_the_conclusions_depend_on_the_accuracies(shared, pooled, refuted):
    after = dict(zip(NETWORKS, (5, 20, shared, pooled), strict=True))
    runs = {name: torch.tensor([[95.0, 50.0, accuracy]]) for name, accuracy in after.items()}
    assert " ".join(conv_vs_dense.conclusions(runs)).count("NOT") == refuted


def test_the_finding_has_one_row_per_network(monkeypatch):
    monkeypatch.setattr(conv_vs_dense, "EPOCHS", 1)
    monkeypatch.setattr(conv_vs_dense, "SEEDS", 2)
    finding = conv_vs_dense.experiment(Settings())
    assert [len(run) for run in finding.values["accuracy"].values()] == [2] * len(NETWORKS)
    assert all(len(seed) == len(SHIFTS) for run in finding.values["accuracy"].values() for seed in run)
    assert all(f"\n{name} " in finding.text for name in NETWORKS)
