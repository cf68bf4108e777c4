"""Pictures of what networks cost and how far they see, and scores drawn over a picture."""

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


def test_the_pictures_are_drawn_also_of_one_network_and_without_maps(traces, tmp_path):
    for draw in (draw_costs, draw_fields):
        for names in (["lenet5", "cnn", "mlp"], ["lenet5"], ["mlp"]):
            path = draw({name: traces[name] for name in names}, tmp_path / f"{len(names)}{names[0]}.png")
            with Image.open(path) as picture:
                assert min(picture.size) > 500


def test_the_field_grows_with_depth(traces):
    assert field_by_depth(traces["lenet5"]) == {1: 6, 2: 16}
    assert field_by_depth(traces["cnn"]) == {1: 4, 2: 10, 3: 22}
    assert field_by_depth(traces["mlp"]) == {}


def test_no_name_lies_on_another():
    points = [(1.0, 1.0), (1.0, 1.0), (1.001, 1.0), (1.0, 1.001), (2.0, 2.0), (1.99, 2.0), (2.0, 1.99), (1.5, 1.5)]
    names = [f"network_{index}" for index in range(len(points))]
    drawn = figure(6, 4)
    with mpl.rc_context(STYLE):
        axes = drawn.subplots()
        axes.plot(*zip(*points, strict=True), "o")
        place_labels(drawn, axes, points, names, ["black"] * len(points))
        drawn.draw_without_rendering()
        renderer = FigureCanvasAgg(drawn).get_renderer()
        boxes = [text.get_window_extent(renderer) for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == names
    overlapping = [(i, j) for i, a in enumerate(boxes) for j, b in enumerate(boxes) if i < j and a.overlaps(b)]
    assert not overlapping


@pytest.mark.parametrize("channels", [1, 3])
def test_scores_are_drawn_over_the_picture(channels, tmp_path):
    scored = convolutionize(models.lenet5(in_channels=channels), channels, 28)
    picture = torch.rand(channels, 60, 80)
    field = trace(scored, channels, (60, 80)).rows[-1].field
    assert field is not None
    with torch.no_grad():
        scores = scored(picture[None])[0]
    path = draw_class_map(picture, scores, field, list("0123456789"), "title", tmp_path / "scores.png")
    with Image.open(path) as drawn:
        assert drawn.width > drawn.height > 200
