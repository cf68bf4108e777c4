"""Parameters, multiply-accumulates and training memory, and the worked examples of layer costs."""

import pytest
import torch
from torch import nn

from cnnlab import models
from cnnlab.analysis.cost import count_macs, count_parameters, states_of, training_memory
from cnnlab.analysis.trace import trace
from cnnlab.analysis.worked import EXAMPLES, worked_records


def multiplications(example: str) -> dict[str, int]:
    return {way: traced.total("multiplications") for way, traced in EXAMPLES[example].traces().items()}


def test_parameters_and_macs_of_lenet5():
    net = models.lenet5()
    assert count_parameters(net) == 61_706
    assert count_macs(net, 1, 28) == 416_520
    net.c1.weight.requires_grad_(False)
    assert count_parameters(net) == 61_706 - 150


def test_a_fully_connected_layer_has_far_more_weights_than_one_kernel():
    traces = EXAMPLES["32x32 to 30x30"].traces()
    assert [traced.total("weights") for traced in traces.values()] == [921_600, 9]


@pytest.mark.parametrize(("p", "d", "u", "v"), [(6, 1, 5, 5), (4, 3, 2, 7)])
def test_the_cost_of_a_convolution_follows_its_formulas(p, d, u, v):
    (row,) = trace(nn.Conv2d(d, p, kernel_size=(u, v)), d, 17).rows
    assert row.weights + row.biases == p * d * u * v + p
    assert row.multiplications == (17 - u + 1) * (17 - v + 1) * p * d * u * v


@pytest.mark.parametrize(
    ("n", "f", "stride", "padding"), [(32, 5, 1, 0), (227, 11, 4, 0), (8, 3, 2, 1), (8, 2, 2, 0), (8, 4, 2, 1)]
)
def test_the_output_size_follows_its_formula(n, f, stride, padding):
    (row,) = trace(nn.Conv2d(1, 1, kernel_size=f, stride=stride, padding=padding), 1, n).rows
    side = (n + 2 * padding - f) // stride + 1
    assert row.shape == (1, side, side)
    assert n != 8 or side == 4


def test_pooling_has_no_parameters_and_only_average_pooling_multiplies():
    traces = EXAMPLES["pooling 16 maps of 28x28"].traces()
    assert [traced.parameters for traced in traces.values()] == [0, 0]
    assert list(multiplications("pooling 16 maps of 28x28").values()) == [14 * 14 * 16, 0]


def test_a_bottleneck_takes_a_tenth_of_the_multiplications_of_5x5():
    counts = multiplications("192 to 32 channels, 28x28")
    assert [round(count / 1e6, 1) for count in counts.values()] == [120.4, 12.4]
    first, second = EXAMPLES["192 to 32 channels, 28x28"].traces()["1x1 to 16, then 5x5"].rows
    assert (round(first.macs / 1e6, 1), round(second.macs / 1e6, 1)) == (2.4, 10.0)


def test_the_relative_cost_of_a_depthwise_separable_convolution_follows_its_formula():
    standard, separable = multiplications("64 to 128 channels, 56x56").values()
    assert separable / standard == pytest.approx(1 / 128 + 1 / 9)


def test_inception_3a_costs_the_published_operations_and_less_than_the_naive_form():
    """Going deeper with convolutions, table 1: 128 M operations for inception (3a)."""
    naive, published = multiplications("inception 3a, 28x28").values()
    assert round(published / 1e6) == 128
    assert naive == 28 * 28 * 192 * (64 + 9 * 128 + 25 * 32)
    traces = EXAMPLES["inception 3a, 28x28"].traces()
    assert [traced.rows[-1].shape[0] for traced in traces.values()] == [64 + 128 + 32 + 192, 256]


def test_two_3x3_convolutions_have_the_field_of_5x5_with_18_weights_in_25():
    traces = EXAMPLES["a field of 5x5"].traces().values()
    assert len({traced.field for traced in traces}) == 1
    five, three = multiplications("a field of 5x5").values()
    assert three / five == 18 / 25


def test_the_table_of_examples_has_a_row_for_every_way():
    records = worked_records()
    assert len(records) == sum(len(example.ways) for example in EXAMPLES.values())
    assert [record["fraction"] for record in records if record["example"]] == [100.0] * len(EXAMPLES)


def saved_by_autograd(net: nn.Module, x: torch.Tensor) -> int:
    """Bytes that a real forward pass saves, without parameters and input."""
    excluded = {tensor.untyped_storage().data_ptr() for tensor in (*net.parameters(), *net.buffers(), x)}
    saved = {}

    def save(tensor):
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = (storage, storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        out = net(x)
    del out
    return sum(size for pointer, (_, size) in saved.items() if pointer not in excluded)


@pytest.mark.parametrize("name", ["lenet5", "cnn", "resnet18"])
def test_activation_memory_equals_the_memory_that_autograd_saves(name):
    channels = 1 if name == "lenet5" else 3
    net = getattr(models, name)(in_channels=channels, num_classes=10, image_size=32).train()
    memory = training_memory(net, channels, 32, batch_size=3, precision="32-true", states=2)
    assert memory.activations == saved_by_autograd(net, torch.randn(3, channels, 32, 32))


def test_training_memory_depends_on_precision_and_optimizer():
    net = nn.Conv2d(1, 2, kernel_size=3, bias=False)
    full = training_memory(net, 1, 8, batch_size=4, precision="32-true", states=2)
    assert (full.weights, full.gradients, full.optimizer) == (72, 72, 144)
    assert full.total == 72 + 72 + 144 + full.activations
    mixed = training_memory(net, 1, 8, batch_size=4, precision="bf16-mixed", states=0)
    assert (mixed.weights, mixed.gradients, mixed.optimizer) == (108, 72, 0)
    with pytest.raises(ValueError, match=r"precision must be one of \['32-true', 'bf16-mixed', '16-mixed'\], got '8'"):
        training_memory(net, 1, 8, batch_size=4, precision="8", states=0)


@pytest.mark.parametrize(
    ("make", "states"),
    [
        (torch.optim.SGD, 0),
        (lambda parameters: torch.optim.SGD(parameters, momentum=0.9), 1),
        (torch.optim.RMSprop, 1),
        (torch.optim.Adam, 2),
    ],
    ids=["sgd", "momentum", "rmsprop", "adam"],
)
def test_the_number_of_optimizer_states_is_found(make, states):
    assert states_of(make) == states
