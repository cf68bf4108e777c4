"""What `checkpoint=` may be: a file, a run folder, a run id, or latest."""

import os
from pathlib import Path

import pytest

from cnnlab.errors import UserError
from cnnlab.runs.locate import locate_checkpoint, locate_run


def run_folder(logs: Path, name: str, *files: str, ended: int = 0) -> Path:
    folder = logs / "lenet5-digits" / name
    (folder / "checkpoints").mkdir(parents=True)
    for file in files:
        (folder / "checkpoints" / file).touch()
    (folder / "result.json").write_text("{}")
    os.utime(folder / "result.json", ns=(ended, ended))
    return folder


def test_the_best_checkpoint_of_a_run_is_found_by_folder_id_and_latest(tmp_path):
    older = run_folder(tmp_path, "aaaa", "best.ckpt", "last.ckpt", ended=1)
    newer = run_folder(tmp_path, "seed=1-bbbb", "last.ckpt", ended=2)
    run_folder(tmp_path, "cccc", ended=3)  # has no checkpoint yet
    best = str(older / "checkpoints" / "best.ckpt")
    last = str(newer / "checkpoints" / "last.ckpt")
    assert locate_checkpoint(best, "nowhere") == best
    assert locate_checkpoint(str(older), "nowhere") == best
    assert locate_checkpoint(str(older / "checkpoints"), "nowhere") == best
    assert locate_checkpoint("aaaa", str(tmp_path)) == best
    assert locate_checkpoint("bbbb", str(tmp_path)) == last
    assert locate_checkpoint("latest", str(tmp_path)) == last


def test_a_run_has_one_folder_whatever_its_name_says_before_the_run_id(tmp_path):
    plain, named = (run_folder(tmp_path, name, "last.ckpt") for name in ("aaaa", "seed=1-bbbb"))
    assert locate_run(str(tmp_path), "lenet5-digits", "aaaa") == plain
    assert locate_run(str(tmp_path), "lenet5-digits", "bbbb") == named
    assert locate_run(str(tmp_path), "lenet5-digits", "bbb") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "nix",
            "checkpoint must be a file, a run folder, a run id in .*, latest, or pretrained:NAME, got 'nix'",
        ),
        ("latest", "checkpoint=latest: there is no run with a checkpoint in log_dir="),
        ("dddd", "checkpoint=dddd: there is no checkpoint in .*dddd/checkpoints"),
    ],
)
def test_a_checkpoint_that_is_not_there_is_reported(tmp_path, text, message):
    if text == "dddd":
        run_folder(tmp_path, "dddd")
    with pytest.raises(UserError, match=f"^{message}"):
        locate_checkpoint(text, str(tmp_path))
