"""The photograph of scikit-learn or of the user, as gray values."""

import pytest
from PIL import Image

from cnnlab.lab.photograph import photograph


def test_scikit_learns_photograph_is_the_default():
    grays = photograph(None)
    assert grays.shape == (427, 640)
    assert 0 <= grays.min() < 0.01
    assert 0.99 < grays.max() <= 1


def test_a_large_image_is_reduced_and_a_small_one_is_unchanged(tmp_path):
    gradient = Image.linear_gradient("L")
    gradient.resize((600, 1280)).save(tmp_path / "large.png")
    gradient.save(tmp_path / "small.png")
    assert photograph(tmp_path / "large.png").shape == (640, 300)
    small = photograph(tmp_path / "small.png")
    assert (small[:, 7] * 255).round().tolist() == list(range(256))


def test_an_unusable_image_raises_an_error_with_its_path(tmp_path):
    with pytest.raises(ValueError, match=r"image=.*nowhere\.png: not a readable .*No such file"):
        photograph(tmp_path / "nowhere.png")
    (tmp_path / "words.jpg").write_text("no picture")
    with pytest.raises(ValueError, match=r"image=.*words\.jpg: not a readable"):
        photograph(tmp_path / "words.jpg")
    Image.linear_gradient("L").resize((63, 200)).save(tmp_path / "narrow.png")
    with pytest.raises(ValueError, match=r"narrow\.png must have at least 64 pixels a side, got 200 x 63"):
        photograph(tmp_path / "narrow.png")
    Image.new("RGB", (80, 80), "white").save(tmp_path / "blank.png")
    with pytest.raises(ValueError, match=r"blank\.png must have more than one gray value, got 1 everywhere"):
        photograph(tmp_path / "blank.png")


@pytest.mark.slow
def test_the_command_reads_an_image_and_reports_a_missing_one(command, tmp_path):
    Image.radial_gradient("L").resize((70, 96)).save(tmp_path / "disc.png")
    done = command("src/lab.py", "lab=laplacian", f"image={tmp_path / 'disc.png'}")
    assert done.returncode == 0, done.stderr
    assert "photograph of 96 x 70 gray values" in done.stdout
    assert (tmp_path / "logs" / "lab" / "laplacian.png").exists()
    failed = command("src/lab.py", "lab=laplacian", "image=missing.png")
    assert failed.returncode == 1
    assert "image=missing.png: not a readable" in failed.stderr
    assert "Traceback" not in failed.stderr
