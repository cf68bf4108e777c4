"""One preprocessing: files, drawings and tensors reach a network as its training data did."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from cnnlab.data.specs import MNIST
from cnnlab.image_spec import Drawing, ImageSpec
from cnnlab.preprocessing import Preprocessing, UnreadableImage, fitted

COLOR = Preprocessing(ImageSpec(3, 8, 2, ("a", "b"), (0.5, 0.25, 0.1), (0.2, 0.2, 0.2)), stored_size=8)
GRAY = Preprocessing(ImageSpec(1, 8, 2, ("a", "b"), (0.5,), (0.2,)), stored_size=8)
DIGIT = Preprocessing(MNIST, stored_size=28)


def seven(side: int = 280, stroke: int = 24, left: int = 60, top: int = 40, size: int = 150) -> np.ndarray:
    """A light 7 on black: a bar, and a diagonal from its right end."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    bar = (abs(y - top) <= stroke / 2) & (x >= left) & (x <= left + size * 0.7)
    along = (y - top) / size
    diagonal = (along >= 0) & (along <= 1) & (abs(x - (left + size * (0.7 - 0.45 * along))) <= stroke / 2)
    return np.where(bar | diagonal, 255, 0).astype(np.uint8)


def saved(path, pixels: np.ndarray):
    Image.fromarray(pixels).save(path)
    return path


def test_an_image_of_the_stored_size_is_not_changed(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    pixels[[0, -1]] = pixels[:, [0, -1]] = 0
    prepared = DIGIT.prepare(saved(tmp_path / "digit.png", pixels))
    assert prepared.notes == ()
    assert np.array_equal(prepared.pixels[0], pixels)
    color = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(COLOR.prepare(saved(tmp_path / "color.png", color)).pixels.permute(1, 2, 0), color)


@pytest.mark.parametrize("ground", ["black", "white", "shadow", "transparent"])
@pytest.mark.parametrize("stroke", [3, 24, 40])
def test_a_drawing_is_brought_to_the_form_of_mnist(tmp_path, ground, stroke):
    drawn = seven(stroke=stroke)
    y, x = np.mgrid[:280, :280] / 280
    path = tmp_path / "seven.png"
    match ground:
        case "black":
            saved(path, drawn)
        case "white":
            saved(path, 255 - drawn)
        case "shadow":
            noise = np.random.default_rng(0).normal(0, 3, drawn.shape)
            saved(path, np.clip((220 - 90 * x - 40 * y) * (1 - 0.75 * (drawn / 255)) + noise, 0, 255).astype(np.uint8))
        case "transparent":
            saved(path, np.dstack([np.zeros_like(drawn)] * 3 + [drawn]))
    prepared = DIGIT.prepare(path)
    assert prepared.notes == (("centered",) if ground == "black" else ("inverted", "centered"))
    image = prepared.pixels[0].float()
    rows, columns = (image > 60).any(1).nonzero(), (image > 60).any(0).nonzero()
    assert image[0].sum() == image[:, 0].sum() == 0
    assert 18 <= max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 <= 20
    steps = torch.arange(28) + 0.5
    center = (image.sum(1) @ steps / image.sum(), image.sum(0) @ steps / image.sum())
    assert max(abs(float(value) - 14) for value in center) <= 0.51
    form = DIGIT.prepare(saved(tmp_path / "thick.png", seven(stroke=24))).pixels[0].float()
    assert torch.corrcoef(torch.stack([image.flatten(), form.flatten()]))[0, 1] > (0.95 if stroke == 24 else 0.7)
    assert image.gt(128).sum() > 45  # thin strokes do not fade


def test_specks_and_edges_of_paper_are_not_part_of_a_drawing(tmp_path):
    paper = 235 - 200 * (seven() > 0).astype(np.uint8)
    clean = DIGIT.prepare(saved(tmp_path / "clean.png", paper)).pixels
    paper[250:254, 250:254] = 30
    speckled = DIGIT.prepare(saved(tmp_path / "speck.png", paper)).pixels
    assert (clean.int() - speckled.int()).abs().max() <= 16


def test_a_blank_page_is_reported(tmp_path):
    prepared = DIGIT.prepare(saved(tmp_path / "blank.png", np.full((100, 100), 240, dtype=np.uint8)))
    assert prepared.notes == ("nothing is drawn on it",)
    assert not prepared.pixels.any()


def test_invert_is_obeyed(tmp_path):
    path = saved(tmp_path / "seven.png", 255 - seven())
    assert "inverted" in DIGIT.prepare(path, invert="yes").notes
    assert DIGIT.prepare(path, invert="no").notes != DIGIT.prepare(path, invert="yes").notes
    color = saved(tmp_path / "color.png", np.full((8, 8, 3), 55, dtype=np.uint8))
    assert COLOR.prepare(color, invert="yes").pixels.unique().tolist() == [200]
    with pytest.raises(ValueError, match=r"invert must be one of \['auto', 'yes', 'no'\], got 'maybe'"):
        COLOR.prepare(color, invert="maybe")


def test_the_center_of_the_box_is_the_center_where_the_data_has_it_so(tmp_path):
    boxed = Preprocessing(replace(MNIST, drawing=Drawing(28, "box")), stored_size=28)
    image = boxed.prepare(saved(tmp_path / "seven.png", seven())).pixels[0]
    rows, columns = (image > 30).any(1).nonzero(), (image > 30).any(0).nonzero()
    assert (int(rows[0]), int(rows[-1])) == (0, 27)
    assert abs(int(columns[0] + columns[-1]) - 27) <= 1


def test_a_colored_image_for_a_gray_network_is_reported(tmp_path):
    red = np.zeros((8, 8, 3), dtype=np.uint8)
    red[..., 0] = 200
    assert GRAY.prepare(saved(tmp_path / "red.png", red)).notes == ("converted to gray",)
    assert GRAY.prepare(saved(tmp_path / "gray.png", np.full((8, 8, 3), 99, dtype=np.uint8))).notes == ()


@pytest.mark.parametrize(("fit", "expected"), [("crop", [90] * 8), ("pad", [128] * 2 + [90] * 4 + [128] * 2)])
def test_crop_and_pad_keep_the_proportions(tmp_path, fit, expected):
    wide = saved(tmp_path / "wide.png", np.full((20, 40), 90, dtype=np.uint8))
    assert GRAY.prepare(wide, fit=fit).pixels[0, :, 4].tolist() == expected


def test_stretch_changes_the_proportions():
    halves = Image.fromarray(np.repeat(np.array([[0, 255]], dtype=np.uint8), [20, 20], axis=1).repeat(10, axis=0))
    assert np.array(fitted(halves, 8, "stretch"))[3, [0, 1, -2, -1]].tolist() == [0, 0, 255, 255]
    with pytest.raises(ValueError, match=r"fit must be one of \['crop', 'pad', 'stretch'\], got 'squeeze'"):
        fitted(halves, 8, "squeeze")


def test_the_first_frame_of_an_animation_is_used(tmp_path):
    frames = [Image.new("L", (8, 8), value) for value in (200, 10)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert GRAY.prepare(tmp_path / "moving.gif").pixels.unique().tolist() == [200]


def test_a_file_that_is_no_image_is_reported(tmp_path):
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(UnreadableImage, match=r"text.png: not a readable image"):
        COLOR.prepare(tmp_path / "text.png")


def test_the_network_input_is_the_normalized_pixels():
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).repeat_interleave(64).view(1, 3, 8, 8)
    x = COLOR(images)
    torch.testing.assert_close(x[0, :, 0, 0], torch.tensor([-2.5, (0.2 - 0.25) / 0.2, 4.5]))
