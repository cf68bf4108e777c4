"""The drawings in docs/drawings are those that the program there makes."""

import importlib.util

import numpy as np
import pytest
from PIL import Image

from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "docs" / "drawings"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder with the drawings made anew."""
    spec = importlib.util.spec_from_file_location("draw", FOLDER / "draw.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("drawings")
    module.draw_all(folder)
    return folder


@pytest.mark.parametrize("name", ["seven.png", "three.png", "five.jpg"])
def test_a_drawing_is_what_the_program_draws(drawn, name):
    committed, new = (np.asarray(Image.open(folder / name), dtype=float) for folder in (FOLDER, drawn))
    assert np.abs(committed - new).mean() < 1  # releases of Pillow may round differently
