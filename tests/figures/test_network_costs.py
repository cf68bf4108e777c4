"""Figures of the cost and the receptive field of networks, and class probabilities over an image."""

import matplotlib as mpl
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from cnnlab import models
from cnnlab.analysis.convolutionize import convolutionize
from cnnlab.analysis.trace import trace
from cnnlab.figures.class_map import draw_class_map
from cnnlab.figures.labels import place_labels
from cnnlab.figures.network_costs import draw_costs, draw_fields, field_by_depth
from cnnlab.figures.style import STYLE, figure


@pytest.fixture(scope="module")
def traces():
    return {
        "lenet5": trace(models.lenet5(), 1, 28),
        "cnn": trace(models.cnn(), 3, 32),
        "mlp": trace(models.mlp(), 1, 28),
    }


def test_figures_can_be_drawn_of_one_network_and_of_networks_without_maps(traces, tmp_path):
    for draw in (draw_costs, draw_fields):
        for names in (["lenet5", "cnn", "mlp"], ["lenet5"], ["mlp"]):
            path = draw({name: traces[name] for name in names}, tmp_path / f"{len(names)}{names[0]}.png")
            with Image.open(path) as image:
                assert min(image.size) > 500


def test_the_receptive_field_grows_with_depth(traces):
    assert field_by_depth(traces["lenet5"]) == {1: 6, 2: 16}
    assert field_by_depth(traces["cnn"]) == {1: 4, 2: 10, 3: 22}
    assert field_by_depth(traces["mlp"]) == {}


def test_labels_do_not_overlap():
    points = [(1.0, 1.0), (1.0, 1.0), (1.001, 1.0), (1.0, 1.001), (2.0, 2.0), (1.99, 2.0), (2.0, 1.99), (1.5, 1.5)]
    names = [f"network_{index}" for index in range(len(points))]
    fig = figure(6, 4)
    with mpl.rc_context(STYLE):
        axes = fig.subplots()
        axes.plot(*zip(*points, strict=True), "o")
        place_labels(fig, axes, points, names, ["black"] * len(points))
        fig.draw_without_rendering()
        renderer = FigureCanvasAgg(fig).get_renderer()
        boxes = [text.get_window_extent(renderer) for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == names
    overlapping = [(i, j) for i, a in enumerate(boxes) for j, b in enumerate(boxes) if i < j and a.overlaps(b)]
    assert not overlapping


@pytest.mark.parametrize("channels", [1, 3])
def test_class_probabilities_can_be_drawn_over_the_image(channels, tmp_path):
    net = convolutionize(models.lenet5(in_channels=channels), channels, 28)
    image = torch.rand(channels, 60, 80)
    field = trace(net, channels, (60, 80)).rows[-1].field
    assert field is not None
    with torch.no_grad():
        logits = net(image[None])[0]
    path = draw_class_map(image, logits, field, list("0123456789"), "title", tmp_path / "class_map.png")
    with Image.open(path) as drawn:
        assert drawn.width > drawn.height > 200
