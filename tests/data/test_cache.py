"""The cache is mapped if it is up to date and written again if it is not."""

import subprocess
import sys

import pytest
from PIL import Image

from cnnlab.data.cache import load
from cnnlab.data.cache_files import noted_fingerprint
from cnnlab.errors import UserError
from tests.conftest import REPOSITORY, write_tree


def test_images_that_take_more_than_half_of_the_memory_are_refused(tmp_path, monkeypatch):
    write_tree(tmp_path, ["a", "b"], 2, (20, 20), "RGB")
    monkeypatch.setattr("cnnlab.data.image_folders.total_memory", lambda: 2**30)
    with pytest.raises(UserError, match=r"4 images of 10000 pixels take 1.1 GiB, more than half .* 1.0 GiB"):
        load("image_folder", tmp_path, image_size=10_000)


def test_the_cache_is_mapped_and_written_again_if_the_images_change(tmp_path):
    write_tree(tmp_path, ["a", "b"], 5, (20, 20), "RGB")
    first = load("image_folder", tmp_path, image_size=20)
    (file,) = (tmp_path / ".cnnlab").glob("*.pt")
    written = file.stat().st_mtime_ns
    assert load("image_folder", tmp_path, image_size=20).fingerprint == first.fingerprint
    assert file.stat().st_mtime_ns == written
    Image.new("RGB", (20, 20)).save(tmp_path / "a" / "0000.png")
    assert load("image_folder", tmp_path, image_size=20).fingerprint != first.fingerprint
    assert len(list((tmp_path / ".cnnlab").glob("*.pt"))) == 1


def test_a_damaged_cache_is_written_again(tmp_path):
    write_tree(tmp_path, ["a", "b"], 5, (20, 20), "RGB")
    first = load("image_folder", tmp_path, image_size=20)
    (file,) = (tmp_path / ".cnnlab").glob("*.pt")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert load("image_folder", tmp_path, image_size=20).fingerprint == first.fingerprint


def test_a_flipped_bit_in_the_note_of_the_fingerprint_makes_it_unknown(tmp_path):
    write_tree(tmp_path, ["a", "b"], 2, (20, 20), "RGB")
    first = load("image_folder", tmp_path, image_size=20)
    assert noted_fingerprint("image_folder", tmp_path, 20) == first.fingerprint
    (note,) = (tmp_path / ".cnnlab").glob("*.json")
    content = note.read_bytes()
    for at in range(len(content)):
        note.write_bytes(content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :])
        assert noted_fingerprint("image_folder", tmp_path, 20) is None


def test_the_users_cache_folder_is_used_if_the_data_folder_is_read_only(tmp_path, monkeypatch):
    write_tree(tmp_path / "data", ["a", "b"], 5, (20, 20), "RGB")
    (tmp_path / "data" / ".cnnlab").write_text("a file in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    load("image_folder", tmp_path / "data", image_size=20)
    assert len(list((tmp_path / "home").rglob("*.pt"))) == 1


def test_two_processes_can_fill_an_empty_cache_at_the_same_time(tmp_path):
    write_tree(tmp_path, ["a", "b"], 40, (64, 64), "RGB")
    script = (
        "import sys; sys.path.insert(0, 'src')\n"
        "from pathlib import Path\n"
        "from cnnlab.data.cache import load\n"
        "print(load('image_folder', Path(sys.argv[1]), image_size=64).fingerprint)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script, tmp_path], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=100)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[0] == outputs[1] != ""
