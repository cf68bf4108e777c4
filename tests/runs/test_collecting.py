"""The table of records."""

import json

import pytest

from cnnlab.errors import UserError
from cnnlab.runs.collecting import collect, table

DONE = {
    "status": "done", "name": "lenet5-mnist", "run_id": "abc", "seed": 0, "epochs": 10, "best_epoch": 9,
    "val/acc": 0.991, "test/acc": 0.99, "test/acc_last": 0.9895, "images_per_second": 12345.6, "train_seconds": 90.0,
    "data": {"limit": None, "train_size": 100},
}  # fmt: skip


def test_records_become_rows_and_broken_ones_are_named(tmp_path):
    for name, content in {
        "a": json.dumps(DONE),
        "b": json.dumps(DONE | {"status": "running", "run_id": "xyz"}),
        "c": '{"status": "do',
        "d": '{"status": "done"}',
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(content)
    records, unreadable = collect(tmp_path)
    assert [record["run_id"] for record in records] == ["abc", "xyz"]
    assert [line.split(":")[0] for line in unreadable] == [f"skipped {tmp_path}/{n}/result.json" for n in "cd"]
    lines = table(records).splitlines()
    assert lines[1].split() == [
        "lenet5-mnist/abc",
        "done",
        "0",
        "10",
        "9",
        "99.10",
        "99.00",
        "98.95",
        "12,346",
        "1.5",
        "yes",
    ]
    assert lines[2].split() == ["lenet5-mnist/xyz", "running", "0"]


def test_markdown_has_a_rule_and_as_many_cells_in_each_line():
    lines = table([DONE], "markdown").splitlines()
    assert {line.count("|") for line in lines} == {12}
    assert set(lines[1]) == set("|-: ")


def test_an_unknown_format_and_a_missing_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"format must be one of \['table', 'markdown'\], got 'pdf'"):
        table([DONE], "pdf")
    with pytest.raises(UserError, match="log_dir must be a folder with runs"):
        collect(tmp_path / "nowhere")
