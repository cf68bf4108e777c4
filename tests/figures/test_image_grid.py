"""Grids of images with captions, and the images of each class."""

import numpy as np
import pytest
import torch

from cnnlab.figures.class_distribution import draw_class_distribution
from cnnlab.figures.image_grid import draw_image_grid
from cnnlab.figures.style import DPI, pixels


def test_bytes_and_floats_are_the_same_image():
    images = torch.randint(256, (3, 3, 8, 8), dtype=torch.uint8)
    grids = [pixels(draw_image_grid(values, ["a", "b", "c"])) for values in (images, images / 255)]
    assert np.array_equal(*grids)


def test_an_image_keeps_its_values_and_its_proportions():
    image = torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1).expand(3, 20, 10)
    array = pixels(draw_image_grid([image], side=120 / DPI))
    green = (array == (0, 255, 0)).all(2)
    assert green.any(0).sum() == pytest.approx(6 * 10, abs=2)  # below the frame lies a part of the outer pixels
    assert green.any(1).sum() == pytest.approx(6 * 20, abs=2)


def test_captions_have_their_lines_and_colors_and_lie_inside_the_figure():
    images = torch.rand(5, 1, 4, 4)
    fig = draw_image_grid(images, ["one\ntwo", "three"], columns=2, colors=["#d55e00"], title="a $title")
    texts = {text.get_text(): text for text in fig.axes[0].texts if text.get_text()}
    assert [*texts] == [r"a \$title", "one", "two", "three"]
    assert texts["two"].get_color() == "#d55e00"
    pixels(fig)
    assert all(fig.bbox.contains(*corner) for text in texts.values() for corner in text.get_window_extent().corners())


@pytest.mark.parametrize("classes", [2, 60, 300])
def test_the_images_of_each_class_can_be_drawn_for_few_and_many_classes(classes):
    counts = {"training": [5] * classes, "validation": [0] * classes, "test": [1] * (classes - 1) + [0]}
    fig = draw_class_distribution(counts, [f"class {i}" for i in range(classes)], "images")
    assert [axes.get_title() for axes in fig.axes] == [
        f"training: {5 * classes:,} images", f"test: {classes - 1:,} images",
    ]  # fmt: skip
    pixels(fig)
