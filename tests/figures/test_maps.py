"""Maps side by side: pixels with numbers are of one size, and nothing overlaps or leaves the figure."""

import itertools

import pytest
import torch

from cnnlab.figures.maps import draw_maps


def test_numbered_pixels_are_square_and_of_one_size():
    maps = {
        "a": torch.ones(6, 8),
        "long name of a small one": torch.ones(1, 2),
        "c": torch.ones(8, 5),
        "d": torch.eye(3),
    }
    drawn = draw_maps(maps, per_row=2)
    width, height = drawn.get_size_inches()
    for axes, values in zip(drawn.axes, maps.values(), strict=True):
        box = axes.get_position()
        assert box.width * width / values.shape[1] == pytest.approx(0.34)
        assert box.height * height / values.shape[0] == pytest.approx(0.34)


def test_names_and_maps_lie_inside_and_apart():
    maps = {"picture": torch.rand(30, 20), "a name longer than its map": torch.ones(1, 2), "b": torch.rand(40, 50, 3)}
    drawn = draw_maps(maps, per_row=2)
    drawn.canvas.draw()
    boxes = [axes.get_tightbbox() for axes in drawn.axes]
    assert all(drawn.bbox.containsx(box.x0) and drawn.bbox.containsx(box.x1) for box in boxes)
    assert all(drawn.bbox.containsy(box.y0) and drawn.bbox.containsy(box.y1) for box in boxes)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_each_number_is_written():
    (axes,) = draw_maps({"m": torch.tensor([[1.0, -2.5], [0, 1000]])}).axes
    assert [text.get_text() for text in axes.texts] == ["1", "-2.5", "0", "1000"]
