"""Figures of runs: drawn without a display, whatever values the runs recorded."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.utils import make_grid

from cnnlab.figures.confusion import draw_confusion
from cnnlab.figures.curves import draw_curves
from cnnlab.figures.filters import draw_filters, filter_colors, tiled
from cnnlab.figures.group_curves import curve_of, draw_groups
from cnnlab.figures.loss_curve import running_mean
from cnnlab.figures.norm_curves import draw_layer_norms
from cnnlab.figures.style import pixels

ROW = {"train/loss": 1.0, "train/acc": 0.5, "val/loss": 1.1, "val/acc": 0.4, "lr": 0.1}


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_curves_can_be_drawn_with_and_without_validation(tmp_path):
    rows = [ROW | {"epoch": epoch} for epoch in (1, 2, 3)]
    with_validation = pixels(draw_curves(rows, "title", best_epoch=2))
    without = pixels(draw_curves([row | {"val/loss": None, "val/acc": None} for row in rows], "title"))
    assert with_validation.shape == without.shape
    assert (with_validation != without).any()


def test_norms_can_be_drawn_for_few_and_for_many_layers_and_unknown_gradients():
    for layers in (1, 5, 40):
        norms = torch.rand(3, layers)
        fig = draw_layer_norms(norms, torch.full_like(norms, torch.nan), [f"layer {i}" for i in range(layers)], "title")
        assert pixels(fig).shape[1] > 1000


@pytest.mark.parametrize(("count", "columns"), [(6, 16), (16, 8), (17, 8)])
def test_tiles_are_those_of_torchvision(count, columns):
    images = torch.rand(count, 3, 5, 7)
    assert torch.equal(tiled(images, columns, gap=4), make_grid(images, nrow=columns, padding=4, pad_value=1))


@pytest.mark.parametrize("channels", [1, 3, 24])
def test_filters_can_be_drawn_for_any_number_of_channels(channels):
    colors = filter_colors(torch.randn(4, channels, 3, 3))
    assert colors.shape == (4, 3, 3, 3)
    assert 0 <= colors.min() <= colors.max() <= 1
    assert pixels(draw_filters([torch.zeros(4, channels, 3, 3)], [0], "conv1")).shape[1] > 200


def test_the_running_mean_is_over_the_values_that_there_are():
    mean = running_mean(torch.tensor([1.0, 2.0, 6.0, 4.0]), 3)
    torch.testing.assert_close(mean, torch.tensor([1.5, 3.0, 4.0, 5.0]))


def test_a_confusion_matrix_can_be_drawn_for_few_and_for_many_classes(tmp_path):
    for n in (2, 10, 100):
        path = draw_confusion(
            torch.eye(n, dtype=torch.long), [f"class {i}" for i in range(n)], "title", tmp_path / f"{n}.png"
        )
        assert min(size_of(path)) > 300


def rows_of(epochs: int, **columns: float) -> list[dict[str, float | None]]:
    return [ROW | {"epoch": epoch, "train/loss": 1.0 / epoch} | columns for epoch in range(1, epochs + 1)]


def test_the_curve_of_a_group_is_the_mean_over_the_runs_that_reached_the_epoch():
    short = [{"epoch": 1.0, "val/acc": 0.5}]
    long = [{"epoch": 1.0, "val/acc": 0.7}, {"epoch": 2.0, "val/acc": 0.9}, {"epoch": 3.0, "val/acc": None}]
    first, second = curve_of([short, long], "val/acc")
    assert first == pytest.approx((1, 0.6, 0.02**0.5))
    assert second == (2, 0.9, 0)


def test_groups_can_be_drawn_whatever_values_they_contain(tmp_path):
    plain = draw_groups({"one": [rows_of(3)]}, tmp_path / "one.png")
    many = {f"resnet{n}, SGD, lr=0.1": [rows_of(30), rows_of(20)] for n in range(8)}
    without_validation = {"val/loss": None, "val/acc": None}
    for name, groups in {
        "many": many,
        "point": {"a": [rows_of(1)], "b": [rows_of(1)]},
        "without": {"a": [rows_of(3, **without_validation)]},
        "without_both": {name: [rows_of(3, **without_validation)] for name in "abcd"},
        "nothing": {"a": [[{"epoch": 1.0}]]},
    }.items():
        path = draw_groups(groups, tmp_path / f"{name}.png")
        assert size_of(path)[0] == size_of(plain)[0]


def test_recorded_gradients_get_their_own_panel(tmp_path):
    gradients = {f"gradient/layer{i}": 10.0**-i for i in range(5)}
    plain = draw_groups({"a": [rows_of(3)]}, tmp_path / "plain.png")
    for name, groups in {
        "all": {"a": [rows_of(3, **gradients)]},
        "some": {"a": [rows_of(3, **gradients)], "b": [rows_of(3)]},
        "zero": {"a": [rows_of(3, **dict.fromkeys(gradients, 0.0))]},
    }.items():
        assert size_of(draw_groups(groups, tmp_path / f"{name}.png"))[0] > size_of(plain)[0]
