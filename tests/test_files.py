"""Files: complete or absent, in UTF-8 on every system."""

import os
import subprocess
import sys

import pytest

from cnnlab.errors import UserError
from cnnlab.files import write_atomically, writing
from tests.conftest import REPOSITORY


def test_a_failed_write_leaves_no_file_behind(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="output=folder cannot be written: Is a directory"), writing("output=folder"):
        write_atomically(tmp_path / "folder", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_text_is_written_as_utf8_in_any_locale(tmp_path):
    script = (
        "import sys, pathlib, cnnlab.files as f; f.write_atomically(pathlib.Path(sys.argv[1]), '\\u2500 \\u00b1\\n')"
    )
    ascii_only = os.environ | {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONPATH": "src"}
    arguments = [sys.executable, "-c", script, str(tmp_path / "table.txt")]
    done = subprocess.run(arguments, cwd=REPOSITORY, env=ascii_only, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "table.txt").read_bytes() == "─ ±\n".encode()
