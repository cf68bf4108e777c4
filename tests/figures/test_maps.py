"""Maps side by side: pixels with values have the same size, and all panels lie inside the figure without overlap."""

import itertools

import pytest
import torch

from cnnlab.figures.maps import draw_maps


def test_pixels_with_values_are_square_and_have_the_same_size():
    maps = {
        "a": torch.ones(6, 8),
        "long name of a small map": torch.ones(1, 2),
        "c": torch.ones(8, 5),
        "d": torch.eye(3),
    }
    fig = draw_maps(maps, per_row=2)
    width, height = fig.get_size_inches()
    for axes, values in zip(fig.axes, maps.values(), strict=True):
        box = axes.get_position()
        assert box.width * width / values.shape[1] == pytest.approx(0.34)
        assert box.height * height / values.shape[0] == pytest.approx(0.34)


def test_names_and_maps_lie_inside_the_figure_and_do_not_overlap():
    maps = {"image": torch.rand(30, 20), "a name longer than its map": torch.ones(1, 2), "b": torch.rand(40, 50, 3)}
    fig = draw_maps(maps, per_row=2)
    fig.canvas.draw()
    boxes = [axes.get_tightbbox() for axes in fig.axes]
    assert all(fig.bbox.containsx(box.x0) and fig.bbox.containsx(box.x1) for box in boxes)
    assert all(fig.bbox.containsy(box.y0) and fig.bbox.containsy(box.y1) for box in boxes)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_each_value_is_written():
    (axes,) = draw_maps({"m": torch.tensor([[1.0, -2.5], [0, 1000]])}).axes
    assert [text.get_text() for text in axes.texts] == ["1", "-2.5", "0", "1000"]
