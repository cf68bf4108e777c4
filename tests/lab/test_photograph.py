"""The photograph: scikit-learn's, or the user's, in grays of a size that is quick to filter."""

import pytest
from PIL import Image

from cnnlab.errors import UserError
from cnnlab.lab.photograph import photograph


def test_scikit_learns_is_taken_where_none_is_named():
    grays = photograph(None)
    assert grays.shape == (427, 640)
    assert 0 <= grays.min() < 0.01
    assert 0.99 < grays.max() <= 1


def test_a_large_picture_is_reduced_and_a_small_one_left(tmp_path):
    gradient = Image.linear_gradient("L")
    gradient.resize((600, 1280)).save(tmp_path / "large.png")
    gradient.save(tmp_path / "small.png")
    assert photograph(tmp_path / "large.png").shape == (640, 300)
    small = photograph(tmp_path / "small.png")
    assert (small[:, 7] * 255).round().tolist() == list(range(256))


def test_what_cannot_be_filtered_is_told_with_its_name(tmp_path):
    with pytest.raises(UserError, match=r"image=.*nowhere\.png: not a readable picture .*No such file"):
        photograph(tmp_path / "nowhere.png")
    (tmp_path / "words.jpg").write_text("no picture")
    with pytest.raises(UserError, match=r"image=.*words\.jpg: not a readable picture"):
        photograph(tmp_path / "words.jpg")
    Image.linear_gradient("L").resize((63, 200)).save(tmp_path / "narrow.png")
    with pytest.raises(UserError, match=r"narrow\.png must have at least 64 pixels a side, got 200 x 63"):
        photograph(tmp_path / "narrow.png")
    Image.new("RGB", (80, 80), "white").save(tmp_path / "blank.png")
    with pytest.raises(UserError, match=r"blank\.png must have more than one gray, got 1 everywhere"):
        photograph(tmp_path / "blank.png")


@pytest.mark.slow
def test_the_command_takes_a_picture_and_tells_a_missing_one(command, tmp_path):
    Image.radial_gradient("L").resize((70, 96)).save(tmp_path / "disc.png")
    done = command("src/lab.py", "lab=laplacian", f"image={tmp_path / 'disc.png'}")
    assert done.returncode == 0, done.stderr
    assert "a photograph of 96 x 70 grays" in done.stdout
    assert (tmp_path / "logs" / "lab" / "laplacian.png").exists()
    failed = command("src/lab.py", "lab=laplacian", "image=missing.png")
    assert failed.returncode == 1
    assert "image=missing.png: not a readable picture" in failed.stderr
    assert "Traceback" not in failed.stderr
