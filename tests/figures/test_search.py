"""Figures of a search: drawn without a display, whatever trials the search contains."""

import pytest
from PIL import Image

from cnnlab.figures.importance import draw_importance
from cnnlab.figures.parallel import choice_axis, draw_parallel, number_axis
from cnnlab.figures.search_history import draw_search_history


def test_an_axis_of_numbers_covers_its_range_and_skips_values_outside():
    axis = number_axis(0.001, 0.1, True, [0.001, 0.01, 0.1, 0.2, 0.0, None])
    assert axis.heights == pytest.approx([0, 0.5, 1, None, None, None])
    assert (axis.ticks[0.0], axis.ticks[1.0]) == ("0.001", "0.1")
    assert "0.01" in axis.ticks.values()
    assert number_axis(1, 5, False, [2]).heights == [0.25]


def test_an_axis_of_choices_places_them_at_equal_distances():
    axis = choice_axis(["a", "b"], ["b", None, "c"])
    assert axis.heights == [0.75, None, None]
    assert list(axis.ticks.values()) == ["a", "b"]


def test_figures_can_be_drawn_of_few_and_of_many_trials(tmp_path):
    studies = {
        "many": ([(i, 90 + i % 7) for i in range(20)], [(20, 10.0)], [21, 22], 90.0),
        "equal": ([(0, 100.0), (1, 100.0)], [], [], 100.0),
        "one": ([(0, 50.0)], [], [], None),
        "failed": ([], [], [0], None),
    }
    for name, (done, pruned, failed, default) in studies.items():
        for rises in (True, False):
            path = draw_search_history(done, pruned, failed, default, rises, "val/acc, %", tmp_path / f"{name}.png")
            with Image.open(path) as image:
                assert image.size[0] > 900
    lr = number_axis(1e-4, 1.0, True, [0.01, 0.1, 0.5, 0.0])
    for coordinates in ({"lr": lr}, {"lr": lr, "augment": choice_axis(["a", "b"], ["a", "b", "b", "a"])}):
        for values in ([0.5, 0.6, 0.7, None], [0.5, 0.5, 0.5, 0.5]):
            assert draw_parallel(coordinates, values, True, True, "val/acc", tmp_path / "parallel.png").exists()
    assert draw_importance({"lr": 0.9, "momentum": 0.1, "nothing": 0.0}, tmp_path / "importance.png").exists()
