"""The files of an image folder: their sizes, and those that are not read."""

import pytest
from PIL import Image

from cnnlab.data.originals import folder_content
from cnnlab.data.places import SourceError
from tests.conftest import write_tree


def test_sizes_are_those_of_the_files_from_the_smallest_to_the_largest(tmp_path):
    write_tree(tmp_path, ["cat", "dog"], 1, (30, 20), "RGB")
    Image.new("L", (5, 4)).save(tmp_path / "dog" / "small.png")
    found = folder_content(tmp_path).originals
    assert [original.size for original in found] == ["5 x 4", "30 x 20", "30 x 20"]
    assert found[0].path == str(tmp_path / "dog" / "small.png")


def test_a_photograph_has_the_size_in_which_it_is_looked_at(tmp_path):
    write_tree(tmp_path, ["cat", "dog"], 1, (10, 10), "RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    Image.new("RGB", (40, 30)).save(tmp_path / "cat" / "photograph.jpg", exif=exif)
    assert folder_content(tmp_path).originals[-1].size == "30 x 40"


def test_files_that_are_not_read_are_listed(tmp_path):
    write_tree(tmp_path / "train", ["cat", "dog"], 2, (8, 8), "RGB")
    write_tree(tmp_path / "test", ["cat", "dog"], 1, (8, 8), "RGB")
    others = [tmp_path / "notes.txt", tmp_path / "train" / "cat" / "notes.txt", tmp_path / "other" / "0.png"]
    for path in (*others, tmp_path / ".cnnlab" / "cache.pt"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    found = folder_content(tmp_path)
    assert sorted(found.left_out) == sorted(map(str, others))
    assert len(found.originals) == 6


def test_a_file_without_a_header_is_not_read(tmp_path):
    write_tree(tmp_path, ["cat", "dog"], 1, (8, 8), "RGB")
    (tmp_path / "cat" / "damaged.png").write_text("no image")
    assert folder_content(tmp_path).left_out == [str(tmp_path / "cat" / "damaged.png")]


def test_a_folder_without_classes_is_refused(tmp_path):
    with pytest.raises(SourceError, match="at least two classes"):
        folder_content(tmp_path)
