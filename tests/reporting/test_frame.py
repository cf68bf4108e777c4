"""The runs of a folder as data frames."""

import pytest

from cnnlab.errors import UserError
from cnnlab.reporting.frame import epochs_frame, runs_frame
from tests.reporting.synthetic import MLP, acc, write_run


@pytest.fixture
def logs(tmp_path):
    write_run(tmp_path, "a", 0, acc(0.9))
    write_run(tmp_path, "b", 1, acc(0.8), model=MLP)
    (write_run(tmp_path, "broken") / "result.json").write_text("{")
    return tmp_path


def test_one_row_per_run_has_its_record_and_its_configuration(logs):
    frame = runs_frame(logs)
    assert list(frame.columns[:3]) == ["run", "status", "seed"]
    assert frame["test/acc"].tolist() == [0.9, 0.8]
    assert frame["model"].tolist() == ["lenet5", "mlp"]
    assert frame["optimizer.lr"].tolist() == [0.1, 0.1]
    assert frame["folder"].tolist() == [str(logs / "lenet5-mnist" / name) for name in "ab"]
    assert "model.hidden" in frame
    assert frame["model.hidden"].isna().tolist() == [True, False]


def test_runs_that_cannot_be_read_are_listed(logs):
    (line,) = runs_frame(logs).attrs["skipped"]
    assert "broken/result.json: result.json is damaged" in line


def test_conditions_select_runs(logs):
    assert runs_frame(logs, "model=mlp")["seed"].tolist() == [1]
    with pytest.raises(UserError, match="where: no run has the key modle"):
        runs_frame(logs, "modle=mlp")


def test_one_row_per_epoch(logs):
    (logs / "lenet5-mnist" / "b" / "metrics.csv").unlink()
    frame = epochs_frame(logs)
    assert frame[["run", "epoch", "val/acc"]].to_numpy().tolist() == [
        ["lenet5-mnist/a", 1, 0.6],
        ["lenet5-mnist/a", 2, 0.9],
    ]
    assert len(frame.attrs["skipped"]) == 2


def test_a_folder_without_runs_gives_an_empty_frame(tmp_path):
    assert list(runs_frame(tmp_path).columns) == ["run", "status", "seed", "folder"]
    assert epochs_frame(tmp_path).empty
