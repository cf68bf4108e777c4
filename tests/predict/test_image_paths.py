"""Which files a path, a folder or a pattern means, and what is left out."""

from pathlib import Path

import pytest

from cnnlab.predict.image_paths import check_exists, find_images


@pytest.fixture
def tree(tmp_path) -> Path:
    """Images in folders, with the files that cameras, archives and systems leave beside them."""
    for name in (
        "b.png", "a.JPG", "cats/2.png", "cats/1.webp", "cats/._1.webp", ".DS_Store", "__MACOSX/1.png", "Thumbs.db",
        ".cache/x.png", "notes.txt", "data.bin",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(found, tree: Path) -> list[str]:
    return [str(Path(file).relative_to(tree)) for file in found.files]


def test_a_folder_means_all_images_below_it(tree):
    found = find_images([tree])
    assert names(found, tree) == ["a.JPG", "b.png", "cats/1.webp", "cats/2.png"]
    hidden = {Path(path).name for path in found.left_out.hidden}
    assert hidden == {"._1.webp", ".DS_Store", ".cache", "Thumbs.db", "__MACOSX"}
    assert sorted(Path(path).name for path in found.left_out.others) == ["data.bin", "notes.txt"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", ["b.png"]),
        ("*", ["a.JPG", "b.png", "cats/1.webp", "cats/2.png"]),
        ("**/*.png", ["b.png", "cats/2.png"]),
        ("cats/[12].*", ["cats/1.webp", "cats/2.png"]),
        ("*.bin", ["data.bin"]),
    ],
)
def test_a_pattern_means_the_images_that_it_matches(tree, pattern, expected):
    assert names(find_images([f"{tree}/{pattern}"]), tree) == expected


def test_a_named_file_is_read_whatever_its_name(tree):
    assert names(find_images([tree / "notes.txt", tree / ".cache/x.png"]), tree) == ["notes.txt", ".cache/x.png"]


def test_each_file_is_read_once_in_the_order_of_the_arguments(tree):
    found = find_images([tree / "cats" / "2.png", tree / "cats", f"{tree}/cats/../b.png"])
    assert [Path(file).name for file in found.files] == ["2.png", "1.webp", "b.png"]
    assert str(found.left_out).endswith("1 named twice, such as " + str(tree / "cats" / "2.png"))


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tree):
    (tree / "photo[1].png").touch()
    assert names(find_images([tree / "photo[1].png"]), tree) == ["photo[1].png"]


def test_the_home_folder_is_expanded(tree, monkeypatch):
    monkeypatch.setenv("HOME", str(tree))
    assert names(find_images(["~/cats"]), tree) == ["cats/1.webp", "cats/2.png"]


def test_links_to_folders_are_followed_without_a_loop(tree):
    (tree / "cats" / "again").symlink_to(tree)
    (tree / "linked").symlink_to(tree / "cats")
    assert len(find_images([tree]).files) == 4


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("none.png", "images: there is no file or folder .*none.png"),
        ("*.gif", r"images: nothing matches the pattern .*\*.gif"),
        ("texts", r"images: there are no images in .*texts .*; left out: 2 not an image by name, such as .*a.txt"),
        ("texts/*", r"images: there are no images for the pattern .*texts/\* "),
    ],
)
def test_a_path_without_images_is_an_error(tree, name, problem):
    (tree / "texts").mkdir()
    for text in ("a.txt", "b.md"):
        (tree / "texts" / text).touch()
    with pytest.raises(ValueError, match=problem):
        find_images([tree / "b.png", f"{tree}/{name}"])


def test_existence_is_checked_without_a_search(tree):
    check_exists([tree, f"{tree}/*.png"])
    with pytest.raises(ValueError, match="nothing matches"):
        check_exists([tree, f"{tree}/x*"])
