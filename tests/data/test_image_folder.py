"""Image folders as datasets: which files are read, and which errors are reported."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab.data import specs
from cnnlab.data.cache import load
from cnnlab.data.image_folders import decode_image
from cnnlab.data.specs import SPECS
from cnnlab.errors import UserError
from tests.conftest import write_tree


def test_an_image_folder_can_mix_sizes_and_modes_and_gets_a_test_set(tmp_path):
    root = tmp_path / "images"
    write_tree(root, ["cat", "dog", "emu"], per_class=10, size=(50, 40), mode="RGB")
    Image.new("L", (100, 30), 77).save(root / "cat" / "gray.png")
    Image.new("RGBA", (30, 100), (255, 0, 0, 0)).save(root / "dog" / "clear.png")
    Image.new("P", (64, 64)).save(root / "emu" / "palette.png")
    Image.new("CMYK", (64, 64)).save(root / "emu" / "print.jpg")
    (root / "emu" / "notes.txt").write_text("not an image")
    lines = []
    dataset = load("image_folder", root, image_size=16, log=lines.append)
    assert lines == [f"skipped files that are not images in {root}: 1, such as {root}/emu/notes.txt"]
    assert dataset.classes == ("cat", "dog", "emu")
    assert dataset.train.images.shape == (27, 3, 16, 16)
    assert dataset.test.images.shape == (7, 3, 16, 16)
    assert dataset.test.labels.bincount().tolist() == [2, 2, 3]


def test_an_image_is_resized_by_its_shorter_side_and_cropped_at_the_center(tmp_path):
    path = tmp_path / "wide.png"
    pixels = np.zeros((20, 60, 3), dtype=np.uint8)
    pixels[:, 20:40] = 255  # the middle third of an image that is three times as wide as high
    Image.fromarray(pixels).save(path)
    decoded = decode_image(path, "RGB", 10)
    assert decoded.shape == (3, 10, 10)
    assert decoded[:, :, 1:-1].min() == 255


def test_an_image_is_rotated_by_its_exif_orientation(tmp_path):
    image = Image.new("RGB", (8, 8), "black")
    image.paste("white", (0, 0, 8, 4))  # the upper half
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotate by 90 degrees clockwise
    image.save(tmp_path / "rotated.png", exif=exif)
    assert decode_image(tmp_path / "rotated.png", "L", 8)[0, 4].tolist() == [0] * 4 + [255] * 4


def test_a_val_folder_is_used_as_the_test_set_and_reported(tmp_path):
    for split in ("train", "val"):
        write_tree(tmp_path / split, ["a", "b"], per_class=4, size=(20, 20), mode="RGB")
    lines = []
    load("image_folder", tmp_path, image_size=20, log=lines.append)
    assert lines == [f"{tmp_path}/val is used as the test set"]


def test_a_val_folder_beside_a_test_folder_is_not_used_and_reported(tmp_path):
    for split, per_class in (("train", 4), ("val", 3), ("test", 2)):
        write_tree(tmp_path / split, ["a", "b"], per_class=per_class, size=(20, 20), mode="RGB")
    lines = []
    dataset = load("image_folder", tmp_path, image_size=20, log=lines.append)
    assert (len(dataset.train.labels), len(dataset.test.labels)) == (8, 4)
    assert lines == [f"{tmp_path}/val is not used: validation images are taken from train/"]


def test_transparent_pixels_become_white_and_16_bit_pixels_are_scaled(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert decode_image(tmp_path / "clear.png", "RGB", 8).min() == 255
    Image.fromarray(np.full((8, 8), 0x8000, dtype=np.uint16)).save(tmp_path / "deep.png")
    assert decode_image(tmp_path / "deep.png", "L", 8).unique().tolist() == [128]


def test_a_test_folder_is_used_as_the_test_set(tmp_path):
    for split, count in (("train", 6), ("test", 4)):
        write_tree(tmp_path / split, ["a", "b"], per_class=count, size=(20, 20), mode="RGB")
    dataset = load("image_folder", tmp_path, image_size=20)
    assert (len(dataset.train.labels), len(dataset.test.labels)) == (12, 8)


def broken_text(root: Path) -> str:
    (root / "cat" / "text.png").write_text("not an image")
    return rf"{root}/cat/text.png: not a readable image"


def broken_half(root: Path) -> str:
    path = root / "cat" / "0000.png"
    path.write_bytes(path.read_bytes()[:60])
    return rf"{path}: not a readable image"


def broken_empty(root: Path) -> str:
    (root / "empty").mkdir()
    return rf"{root}/empty: a class folder must contain images \(.bmp, .jpeg, .jpg, .png, .webp\)"


def broken_one_class(root: Path) -> str:
    for path in (root / "dog").iterdir():
        path.unlink()
    (root / "dog").rmdir()
    return r"must contain one folder per class for at least two classes, got \['cat'\]"


@pytest.mark.parametrize("break_it", [broken_text, broken_half, broken_empty, broken_one_class])
def test_errors_in_an_image_folder_are_reported(break_it, tmp_path):
    root = tmp_path / "images"
    write_tree(root, ["cat", "dog"], per_class=3, size=(20, 20), mode="RGB")
    message = break_it(root)
    with pytest.raises(UserError, match=message):
        load("image_folder", root, image_size=20)


def test_train_and_test_must_have_the_same_classes(tmp_path):
    write_tree(tmp_path / "train", ["a", "b"], 2, (20, 20), "RGB")
    write_tree(tmp_path / "test", ["a", "c"], 2, (20, 20), "RGB")
    with pytest.raises(UserError, match=r"must have the same classes, got \['a', 'b'\] and \['a', 'c'\]"):
        load("image_folder", tmp_path, image_size=20)


def test_an_image_folder_of_a_known_dataset_must_have_all_images(tmp_path):
    for split in ("train", "test"):
        write_tree(tmp_path / "mnist" / split, list("0123456789"), 1, (28, 28), "L")
    with pytest.raises(UserError, match="mnist/train must contain the 60,000 images of mnist, got 10"):
        load("mnist", tmp_path, download=False)


def test_an_image_folder_of_a_known_dataset_must_have_its_classes(tmp_path, monkeypatch):
    monkeypatch.setitem(specs.SPECS, "mnist", replace(SPECS["mnist"], train_size=0, test_size=0))
    for split in ("train", "test"):
        write_tree(tmp_path / "mnist" / split, ["one", "two"], 1, (28, 28), "L")
    with pytest.raises(UserError, match=r"the class folders must be \['0', .* got \['one', 'two'\]"):
        load("mnist", tmp_path, download=False)
