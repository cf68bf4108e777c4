"""Statistics of weights and activations."""

import torch
from torch import nn

from cnnlab import models
from cnnlab.analysis.statistics import activation_statistics, statistics_records, weight_statistics


def test_activations_of_a_worked_example():
    values = torch.tensor([[[[0.0, 2.0]], [[1.0, 1.0]]], [[[0.0, -2.0]], [[1.0, 1.0]]]])  # 2 images, 2 channels, 1x2
    found = activation_statistics(values)
    assert (found["mean"], found["largest"], found["zeros"], found["dead"]) == (0.5, 2.0, 0.25, 1)
    assert abs(found["std"] - values.std(correction=0).item()) < 1e-6


def test_weights_of_a_worked_example():
    assert weight_statistics(torch.tensor([[1.0, -3.0]])) == {
        "weight_mean": -1.0,
        "weight_std": 2.0,
        "weight_largest": 3.0,
    }


def test_a_dead_unit_is_counted_after_its_relu():
    net = nn.Sequential(nn.Conv2d(1, 4, kernel_size=3), nn.ReLU())
    with torch.no_grad():
        net[0].weight.copy_(torch.randn(4, 1, 3, 3))
        net[0].bias.copy_(torch.tensor([0.0, 0.0, 0.0, -100.0]))
    conv, relu = statistics_records(net, torch.randn(8, 1, 6, 6))
    assert (conv["dead"], relu["dead"]) == (0, 1)
    assert relu["zeros"] > 0.25


def test_each_row_that_changes_values_has_a_record_and_the_network_is_unchanged():
    net = models.lenet5().train()
    records = statistics_records(net, torch.randn(4, 1, 28, 28))
    names = ["c1", "tanh", "s2", "c3", "tanh_2", "s4", "c5", "tanh_3", "f6", "tanh_4", "output"]
    assert [record["name"] for record in records] == names
    assert net.training
    by_name = {record["name"]: record for record in records}
    assert abs(by_name["c1"]["weight_std"] - net.c1.weight.std(correction=0).item()) < 1e-6
    assert by_name["tanh"]["weight_std"] is None
    assert by_name["tanh"]["largest"] <= 1
