"""Layers as textbooks count them."""

from cnnlab.analysis.layer_table import beside, in_words, layer_records
from tests.analysis.subjects import subject

# CS231n's notes: the weights of each layer of VGG-16, without biases, and the numbers of its result.
VGG16 = [
    ("input", 0, 150_528), ("conv1_1", 1_728, 3_211_264), ("conv1_2", 36_864, 3_211_264), ("pool1", 0, 802_816),
    ("conv2_1", 73_728, 1_605_632), ("conv2_2", 147_456, 1_605_632), ("pool2", 0, 401_408),
    ("conv3_1", 294_912, 802_816), ("conv3_2", 589_824, 802_816), ("conv3_3", 589_824, 802_816), ("pool3", 0, 200_704),
    ("conv4_1", 1_179_648, 401_408), ("conv4_2", 2_359_296, 401_408), ("conv4_3", 2_359_296, 401_408),
    ("pool4", 0, 100_352), ("conv5_1", 2_359_296, 100_352), ("conv5_2", 2_359_296, 100_352),
    ("conv5_3", 2_359_296, 100_352), ("pool5", 0, 25_088), ("fc6", 102_760_448, 4_096), ("fc7", 16_777_216, 4_096),
    ("fc8", 4_096_000, 1_000),
]  # fmt: skip


def test_vgg16_has_the_published_weights_and_sizes_in_each_layer():
    records = layer_records(subject("vgg16").trace)
    assert [(r["layer"].rpartition(".")[2], r["weights"], r["numbers"]) for r in records] == VGG16
    assert all(record["memory"] == 4 * record["numbers"] for record in records)


def test_sizes_are_written_as_in_lecture_notes():
    assert [in_words(n) for n in (150_528, 3_211_264, 802_816, 4_096)] == ["151k", "3.2M", "803k", "4096"]


def test_lenet_and_alexnet_stand_side_by_side():
    records = beside(*((name, subject(name).trace) for name in ("lenet5", "alexnet")))
    assert (records[1]["lenet5"], records[1]["alexnet"]) == ("conv 5x5", "conv 11x11/4")
    assert (records[-1]["lenet5"], records[-1]["alexnet"]) == ("", "linear")
