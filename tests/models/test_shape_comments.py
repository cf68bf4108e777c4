"""The shape comments of all `forward` methods are true."""

import importlib.util
from pathlib import Path

import pytest
import torch

from cnnlab import models
from tests.models.networks import make, paper_input
from tests.models.shape_comments import Checker

FILES = [str(path) for path in sorted(Path(models.__file__).parent.glob("*.py"))]
# One network for each class with comments, which hold for its default input.
COMMENTED = [
    "alexnet", "cnn", "cnn_notes", "densenet121", "fastnet", "googlenet", "googlenet_d2l", "lenet5", "lenet5_1998",
    "mlp", "mobilenet_v1", "mobilenet_v2", "nin", "nin_d2l", "preact_resnet18", "resnet18", "resnet20",
    "resnext29_32x4d", "vgg16", "wrn_28_10", "zfnet",
]  # fmt: skip


def run(checker, model, train=False):
    with torch.device("meta"):
        return checker.run(make(model).train(train), paper_input(model))


def test_every_comment_is_executed_and_true():
    checker = Checker(FILES)
    for model in COMMENTED:
        assert len(run(checker, model)) > 2, model
    with torch.device("meta"):
        checker.run(models.nin(image_size=224), torch.empty(2, 3, 224, 224))
    assert checker.checked == checker.all_claims()


SOURCE = """
import torch
from torch import nn


class Net(nn.Module):
    def forward(self, x):  # (N, 3, 4, 4)
        x = torch.cat(
            (x, x),
            dim=1,
        )  # (N, 6, 4, 4)
        return x.flatten(1)  # (N, 96)
"""


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [("(N, 3, 4, 4)", "(N, 3, 5, 4)", 7), ("(N, 6, 4, 4)", "(N, 5, 4, 4)", 11), ("(N, 96)", "(N, 97)", 12)],
)
def test_a_false_comment_is_detected(tmp_path, right, wrong, line):
    for name, source, true in (("true", SOURCE, True), ("false", SOURCE.replace(right, wrong), False)):
        file = tmp_path / f"{name}.py"
        file.write_text(source)
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        checker, x = Checker([str(file)]), torch.zeros(2, 3, 4, 4)
        if true:
            assert len(checker.run(module.Net(), x)) == 3
        else:
            with pytest.raises(AssertionError, match=rf"false.py:{line} says"):
                checker.run(module.Net(), x)
