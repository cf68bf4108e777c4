"""Figures of a dataset: drawn whatever the images are."""

import pytest
import torch

from cnnlab.figures.augmented import draw_augmented
from cnnlab.figures.class_means import draw_class_means
from cnnlab.figures.image_sizes import draw_image_sizes
from cnnlab.figures.pixel_values import draw_pixel_values
from cnnlab.figures.style import pixels


def texts_of(fig) -> list[str]:
    return [text.get_text() for text in fig.axes[0].texts if text.get_text()]


def test_each_image_stands_beside_its_versions():
    originals, versions = torch.zeros(2, 1, 8, 8), [torch.ones(2, 1, 16, 16)] * 3
    fig = draw_augmented(originals, versions, ["cat", "dog"], ["original", "1", "2", "3"], "title")
    lefts = [image.get_extent()[0] for image in fig.axes[0].images]
    assert [image.get_array().mean() for image in fig.axes[0].images] == 2 * [0, 1, 1, 1]
    assert lefts[:4] == sorted(lefts[:4])
    assert texts_of(fig) == ["title", "original", "1", "2", "3", "cat", "dog"]


def test_the_classes_of_mixed_images_stand_below_them():
    images = torch.rand(1, 3, 8, 8)
    fig = draw_augmented(images, [images], ["cat"], ["original", "1"], "", [["70 % cat\n30 % dog"]])
    assert texts_of(fig)[-2:] == ["70 % cat", "30 % dog"]
    pixels(fig)
    assert all(fig.bbox.contains(*corner) for t in fig.axes[0].texts for corner in t.get_window_extent().corners())


def test_mean_images_have_full_contrast_and_classes_without_images_are_left_out():
    means = torch.stack([torch.full((1, 4, 4), 0.4), torch.full((1, 4, 4), 0.6), torch.zeros(1, 4, 4)])
    fig = draw_class_means(means, [3, 1000, 0], ["cat", "dog", "cow"], "")
    assert [image.get_array().mean() for image in fig.axes[0].images] == [0, 1]
    assert texts_of(fig) == ["cat", "3 images", "dog", "1,000 images"]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("values", ["even", "mostly black", "one"])
def test_pixel_values_can_be_drawn(channels, values):
    histogram = torch.full((channels, 256), 7)
    if values != "even":
        histogram[:, 0] = 100_000
    if values == "one":
        histogram[:, 1:] = 0
    fig = draw_pixel_values(histogram, [0.5] * channels, [0.2] * channels, "title")
    assert len(fig.axes) == channels
    assert fig.axes[0].get_yscale() == ("linear" if values == "even" else "log")
    pixels(fig)


@pytest.mark.parametrize("sizes", [[(64, 64)] * 3, [(1, 1), (9000, 20)]])
def test_image_sizes_can_be_drawn(sizes):
    fig = draw_image_sizes(sizes, 64, "title")
    points = fig.axes[0].collections[0].get_offsets()
    assert points.tolist() == [list(size) for size in sizes]
    pixels(fig)
