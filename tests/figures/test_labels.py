"""Class names of any length and script in figures: inside their space, all different, and without warnings."""

import pytest

from cnnlab.figures import fonts
from cnnlab.figures.fonts import drawable, fonts_for
from cnnlab.figures.image_grid import Page
from cnnlab.figures.labels import class_labels, shortened
from cnnlab.figures.style import pixels

LONG = "Bücher und Zeitschriften aus dem letzten Jahrhundert"
NAMES = ["图片-猫", LONG, "</script>", "cats & dogs", "$x^$ price", "العربية", "हिन्दी", "a\nb", "\x1b[31mred"]


@pytest.fixture
def without_other_fonts(monkeypatch):
    """Only the font that comes with matplotlib."""
    monkeypatch.setattr(fonts, "_installed", lambda: ())
    fonts._families.cache_clear()
    yield
    fonts._families.cache_clear()


@pytest.mark.parametrize("name", NAMES)
def test_any_name_fits_its_space_in_a_readable_size(name):
    with fonts_for(NAMES):
        page = Page(4, 1)
        page.text(name, 2, 0.5, inches=0.9)
    (text,) = page.axes.texts
    assert text.get_window_extent(page.renderer).width / page.renderer.dpi < 0.95
    assert text.get_fontsize() >= 5.5
    pixels(page.fig)  # a missing character would be a warning, which tests make an error


def test_a_formula_is_text():
    assert drawable("$x^$") == drawable(drawable("$x^$")) == r"\$x^\$"


def test_characters_that_no_font_has_are_boxes_and_their_class_has_a_number(without_other_fonts):
    assert class_labels(["cat", "图片-猫", "图片-狗"]) == ["cat", "1: □□-□", "2: □□-□"]


@pytest.mark.parametrize("longest", [12, 22, 60])
def test_names_that_are_equal_when_shortened_have_their_number_in_every_figure(longest):
    labels = class_labels([LONG, LONG.replace("letzten", "vorletzten"), "cat"], longest)
    assert [label[:3] for label in labels] == ["0: ", "1: ", "cat"]
    assert all(len(label) <= longest for label in labels)


@pytest.mark.parametrize("longest", [2, 3, 10, 19])
def test_a_shortened_name_has_its_beginning_and_its_end(longest):
    short = shortened("a class with a long name"[:20], longest)
    assert len(short) <= longest
    assert short.startswith("a")
