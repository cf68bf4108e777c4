"""Figures of explanations: whatever the values, readable in the width of a paper's column."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from cnnlab.figures.explanation import draw_explanation
from cnnlab.figures.feature_maps import draw_feature_maps
from cnnlab.figures.first_layer_filters import draw_first_filters
from cnnlab.figures.image_rows import ImageRow, draw_image_rows
from cnnlab.figures.overlay import draw_overlay, lines_of, relative_values, round_length, scale_of
from cnnlab.figures.reliability_diagram import draw_reliability
from cnnlab.figures.scores_by_class import draw_scores
from cnnlab.figures.style import COLUMN, PRINT_DPI

NAMES = ["图片-猫", "Bücher und Zeitschriften aus dem letzten Jahrhundert", "cats $ dogs"]
SHAPES = ((6, 1), (80, 3), (1, 5))  # numbers of filters and of their channels


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.mark.parametrize("channels", [1, 3])
def test_an_overlay_has_the_width_of_a_column(tmp_path, channels):
    path = draw_overlay(torch.rand(channels, 20, 20), torch.randn(20, 20), ", ".join(NAMES), tmp_path / "map.png")
    assert size_of(path)[0] == round(COLUMN * PRINT_DPI)


def test_a_zero_map_is_drawn_differently_from_a_map(tmp_path):
    image = torch.rand(1, 20, 20)
    zero = draw_overlay(image, torch.zeros(20, 20), "title", tmp_path / "zero.png")
    some = draw_overlay(image, torch.full((20, 20), 1e-12), "title", tmp_path / "some.png")
    assert zero.read_bytes() != some.read_bytes()


def test_the_colors_of_a_map_are_relative_to_its_largest_absolute_value():
    values = torch.tensor([[-4.0, 0], [2, 1]])
    assert relative_values(values).tolist() == [[-1, 0], [0.5, 0.25]]
    assert [scale_of(v)[1] for v in (values, values.abs())] == [-1, 0]


def test_the_length_of_a_scale_bar_is_a_round_number():
    assert [round_length(length) for length in (0.4, 1, 7, 8, 16, 56, 99)] == [1, 1, 5, 5, 10, 50, 50]


def test_long_titles_are_divided_into_lines():
    assert all(len(line) <= 30 for line in lines_of(" ".join(NAMES * 3), 30))


def test_explanations_feature_maps_and_filters_can_be_drawn(tmp_path):
    curves = {name: torch.rand(21) for name in ("map", "shifted map", "untrained network")}
    paths = [
        draw_explanation(torch.rand(3, 20, 20), torch.rand(20, 20), curves, NAMES[0], tmp_path / "explanation.png"),
        draw_feature_maps(
            torch.rand(1, 20, 20), {"c1": ([5, 2], torch.randn(2, 9, 9)), "c2": ([0], torch.rand(1, 4, 4))}, "title",
            tmp_path / "features.png",
        ),
        *(draw_first_filters(torch.randn(n, c, 3, 3), "title", tmp_path / f"{n}.png") for n, c in SHAPES),
    ]  # fmt: skip
    assert all(size_of(path)[0] >= COLUMN * PRINT_DPI - 1 for path in paths)


def test_rows_may_have_different_numbers_of_images(tmp_path):
    rows = [ImageRow(name, torch.rand(i + 1, 1, 8, 8), NAMES[: i + 1]) for i, name in enumerate(NAMES)]
    with_boxes = ImageRow("unit 1", torch.rand(1, 3, 8, 8), ["cat"], [(-3, -3, 2, 2)])
    width, height = size_of(draw_image_rows([*rows, with_boxes], "title", tmp_path / "rows.png"))
    assert min(width, height) > 500


def test_a_reliability_diagram_may_have_empty_bins(tmp_path):
    counts = torch.tensor([0, 3, 1])
    rates = torch.tensor([0.0, 0.5, 0.9])
    path = draw_reliability(counts, rates, rates / 2, "title", tmp_path / "reliability.png")
    assert size_of(path)[0] == round(COLUMN * PRINT_DPI)


@pytest.mark.parametrize("classes", [3, 150])
def test_scores_can_be_drawn_for_few_and_many_classes(tmp_path, classes):
    names = [*NAMES, *map(str, range(classes - 3))]
    scores = {name: torch.rand(classes) for name in ("precision", "recall", "F1")}
    assert size_of(draw_scores(scores, names, "title", tmp_path / "scores.png"))[1] > 300
