"""The figure of a network's layers."""

import pytest
from PIL import Image

from cnnlab.analysis.explained import line_groups
from cnnlab.analysis.explanations import EXPLANATIONS
from cnnlab.figures.structure import draw_structure, kind_of
from tests.analysis.subjects import subject


def lines_of(name):
    return line_groups(subject(name).trace, EXPLANATIONS[name].why)


def test_each_line_has_the_kind_of_its_main_layer():
    lines = lines_of("lenet5")
    assert {layer: kind_of(lines[layer]) for layer in ("c1", "tanh", "s2", "c5")} == {
        "c1": "convolution", "tanh": "other", "s2": "pooling", "c5": "fully connected",
    }  # fmt: skip
    assert kind_of(lines_of("googlenet")["inception_3a"]) == "convolution"  # and not pooling, which it has as well


@pytest.mark.parametrize(("name", "narrowest"), [("lenet5", 900), ("googlenet", 1500)])
def test_networks_of_any_length_are_drawn(name, narrowest, tmp_path):
    path = draw_structure(name, subject(name).trace, lines_of(name), tmp_path / "layers.png")
    with Image.open(path) as image:
        assert image.width > narrowest
