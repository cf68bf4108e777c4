"""Damaged checkpoints and records are detected."""

import random
import shutil

import pytest
import torch

from cnnlab.errors import UserError
from cnnlab.reporting.records import read_run
from cnnlab.runs.checkpoint import read_checkpoint
from cnnlab.runs.folder import RunFolder
from cnnlab.runs.run import train
from tests.runs.test_run import QUICK, folder_of

FLIPS = 80


def flipped(path, position: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def equal(a, b) -> bool:
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


@pytest.fixture
def folder(configure):
    cfg = configure(*QUICK)
    return folder_of(cfg, train(cfg))


def test_a_flipped_bit_is_refused_or_changes_nothing(folder, tmp_path):
    last, damaged = folder / "checkpoints" / "last.ckpt", tmp_path / "damaged.ckpt"
    content, size = read_checkpoint(last), last.stat().st_size
    numbers = random.Random(0)
    refused = 0
    for i in range(FLIPS):
        shutil.copyfile(last, damaged)
        # Half of the flips are in the directory at the end of the archive, which a random position seldom hits.
        position = numbers.randrange(size) if i % 2 else size - 1 - numbers.randrange(4000)
        flipped(damaged, position, numbers.randrange(8))
        try:
            assert equal(read_checkpoint(damaged), content)
        except UserError:
            refused += 1
    assert refused > FLIPS / 2


def test_a_run_whose_last_checkpoint_is_damaged_resumes_from_the_best(configure, folder, capsys):
    last = folder / "checkpoints" / "last.ckpt"
    flipped(last, last.stat().st_size // 2, 3)
    assert train(configure(*QUICK, "retry=true"))["status"] == "done"  # a complete run does not read it
    (folder / "result.json").unlink()
    assert train(configure(*QUICK))["status"] == "done"
    shown = capsys.readouterr().out
    assert f"warning: {last} is damaged: the checksum of " in shown
    assert "resuming from the best epoch" in shown


def test_a_damaged_record_is_not_read(folder):
    run = RunFolder(folder)
    record = run.read()
    assert "checksum" not in record
    text = run.result.read_text()
    run.result.write_text(text.replace('"epochs": 2', '"epochs": 3'))
    assert run.read() is None
    with pytest.raises(ValueError, match="its checksum does not match its content"):
        read_run(folder)
    run.write(record)
    assert run.result.read_text() == text
