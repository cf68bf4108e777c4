"""Figures: drawn from any rows that a run may have, without a screen."""

from pathlib import Path

import torch
from PIL import Image

from cnnlab.figures.confusion import draw_confusion
from cnnlab.figures.curves import draw_curves

ROW = {"train/loss": 1.0, "train/acc": 0.5, "val/loss": 1.1, "val/acc": 0.4, "lr": 0.1}


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_curves_are_drawn_with_and_without_validation(tmp_path):
    rows = [ROW | {"epoch": epoch} for epoch in (1, 2, 3)]
    with_validation = draw_curves(rows, "title", tmp_path / "with.png")
    without = draw_curves(
        [row | {"val/loss": None, "val/acc": None} for row in rows], "title", tmp_path / "without.png"
    )
    assert size_of(with_validation) == size_of(without)
    assert with_validation.read_bytes() != without.read_bytes()


def test_a_confusion_matrix_is_drawn_for_few_and_for_many_classes(tmp_path):
    for n in (2, 10, 100):
        path = draw_confusion(
            torch.eye(n, dtype=torch.long), [f"class {i}" for i in range(n)], "title", tmp_path / f"{n}.png"
        )
        assert min(size_of(path)) > 300
