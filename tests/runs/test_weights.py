"""Safetensors files of trained networks: the same network as the checkpoint, and damage that is noticed."""

import json
import random

import pytest
import torch
from safetensors.torch import save_file

from cnnlab import models
from cnnlab.errors import UserError
from cnnlab.runs.checkpoint import read_checkpoint
from cnnlab.runs.trained_network import load_trained
from cnnlab.runs.weights import write_weights
from tests.runs.test_checkpoint import equal

CARD = {
    "format": 1,
    "network": {"name": "lenet5", "arguments": {"in_channels": 1, "num_classes": 10, "image_size": 28}},
    "data": {
        "name": "mnist", "val_size": 0.1, "split_seed": 0, "train_size": None, "limit": None, "fingerprint": "00",
    },
    "classes": list("0123456789"),
    "image_size": 28,
    "mean": [0.1307],
    "std": [0.3081],
    "tta": "none",
}  # fmt: skip


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(0)
    net = models.lenet5(in_channels=1, num_classes=10, image_size=28)
    write_weights(tmp_path / "lenet5.safetensors", CARD, net.to(memory_format=torch.channels_last).state_dict())
    return tmp_path / "lenet5.safetensors", net


def test_a_network_written_as_safetensors_gives_the_same_logits(file):
    path, net = file
    trained = load_trained(path)
    images = torch.randint(256, (3, 1, 28, 28), dtype=torch.uint8)
    torch.testing.assert_close(trained(trained.preprocess(images)), net.eval()(trained.preprocess(images)))
    assert trained.classes == tuple("0123456789")
    assert trained.name == "lenet5 trained on mnist"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_flipped_bit_is_refused_or_changes_nothing(file, tmp_path):
    path, _ = file
    original, refused = read_checkpoint(path), 0
    content, numbers = path.read_bytes(), random.Random(0)
    for i in range(60):
        changed = bytearray(content)
        position = numbers.randrange(len(content)) if i % 2 else numbers.randrange(1500)
        changed[position] ^= 1 << numbers.randrange(8)
        (tmp_path / "changed.safetensors").write_bytes(changed)
        try:
            assert equal(read_checkpoint(tmp_path / "changed.safetensors"), original)
        except UserError:
            refused += 1
    assert refused > 50


def test_files_of_others_are_refused(tmp_path):
    save_file({"weight": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"other\.safetensors was not written by cnnlab"):
        read_checkpoint(tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text(json.dumps(CARD))
    with pytest.raises(UserError, match=r"text\.safetensors is not a complete safetensors file"):
        read_checkpoint(tmp_path / "text.safetensors")


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="No such file or directory"):
        write_weights(tmp_path / "missing" / "net.safetensors", CARD, {"weight": torch.ones(2)})
