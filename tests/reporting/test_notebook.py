"""The data frames of runs by the names that a notebook uses."""

import cnnlab
from cnnlab.reporting.frame import epochs_frame, runs_frame
from tests.reporting.synthetic import acc, write_run


def test_a_notebook_has_the_runs_and_their_epochs_as_data_frames(tmp_path):
    write_run(tmp_path, "a", 0, acc(0.9))
    write_run(tmp_path, "b", 1, acc(0.8))
    assert cnnlab.runs(tmp_path)["test/acc"].tolist() == [0.9, 0.8]
    assert cnnlab.runs(tmp_path, "seed=1").equals(runs_frame(tmp_path, "seed=1"))
    assert cnnlab.epochs(tmp_path).equals(epochs_frame(tmp_path))
