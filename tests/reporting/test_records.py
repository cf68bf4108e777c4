"""Reading, selecting, grouping and comparing runs."""

import json

import pytest
from scipy.stats import ttest_rel

from cnnlab.errors import UserError
from cnnlab.reporting.conditions import chosen
from cnnlab.reporting.groups import columns_of, grouped, in_order, name_of
from cnnlab.reporting.pairs import compared
from cnnlab.reporting.records import collect, read_rows
from tests.reporting.synthetic import LENET5, MLP, acc, write_run


def groups_below(folder, keys=None, sort=None):
    runs, _ = collect(folder)
    groups = grouped(runs, keys)
    columns = columns_of(groups, keys)
    return in_order(groups, columns, sort), columns


def names_below(folder, keys=None, sort=None):
    groups, columns = groups_below(folder, keys, sort)
    return [name_of(group, columns) for group in groups]


def test_unreadable_runs_are_skipped_and_reported(tmp_path):
    write_run(tmp_path, "whole")
    write_run(tmp_path, "begun", record={"status": "running"})
    broken = {
        "a_half": ("result.json", '{"status": "do', "result.json is damaged: Unterminated string"),
        "b_list": ("result.json", "[1]", "result.json is damaged: it holds no mapping"),
        "c_foreign": ("result.json", '{"status": "done"}', "run_id must be a text, got None"),
        "d_status": ("result.json", '{"run_id": "d", "name": "n", "status": "ok"}', "status must be one of"),
        "e_text": ("result.json", json.dumps({"run_id": "e", "name": "n", "status": "done", "test/acc": "high"}),
                   "test/acc must be a number, got 'high'"),
        "f_bytes": ("result.json", b"\xff\xfe", "result.json is damaged"),
        "g_yaml": ("config.yaml", "a: [1", "config.yaml is damaged"),
        "h_empty": ("config.yaml", "", "config.yaml does not contain a mapping"),
    }  # fmt: skip
    for name, (file, content, _) in broken.items():
        (write_run(tmp_path, name) / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    (write_run(tmp_path, "i_gone") / "config.yaml").unlink()
    runs, skipped = collect(tmp_path)
    assert [run.record["run_id"] for run in runs] == ["begun", "whole"]
    expected = {name: message for name, (_, _, message) in broken.items()} | {"i_gone": "config.yaml cannot be read"}
    assert len(skipped) == len(expected)
    for line, (name, message) in zip(skipped, expected.items(), strict=True):
        assert line.startswith(f"skipped {tmp_path}/lenet5-mnist/{name}/result.json: {message}")
        assert "\n" not in line


def test_a_run_in_two_folders_counts_once_and_the_completed_one_is_used(tmp_path):
    write_run(tmp_path / "a", "same", record={"status": "interrupted"})
    write_run(tmp_path / "b", "same")
    runs, (line,) = collect(tmp_path)
    assert [run.is_done for run in runs] == [True]
    assert line == f"skipped {tmp_path}/a/lenet5-mnist/same/result.json: the same run as {runs[0].folder.path}"


def test_a_missing_folder_is_rejected(tmp_path):
    with pytest.raises(UserError, match="log_dir must be a folder with runs"):
        collect(tmp_path / "nowhere")


def test_runs_that_differ_only_in_seed_and_paths_are_one_group(tmp_path):
    for seed, accuracy in enumerate((0.90, 0.92, 0.97)):
        write_run(tmp_path, f"r{seed}", seed, acc(accuracy), data={"root": f"/data{seed}"})
    write_run(tmp_path, "failed", 3, {"status": "failed"})
    (group,), columns = groups_below(tmp_path)
    row = group.row(columns)
    assert (row["model"], row["data"], row["n"], row["seeds"]) == ("lenet5", "mnist", 3, "0 1 2")
    assert row["unfinished"] == "1 failed"
    assert row["test/acc"] == pytest.approx(0.93)
    assert row["test/acc_std"] == pytest.approx(0.0360555)  # sqrt((3² + 1² + 4²) / 2) hundredths


def test_a_number_that_one_run_lacks_is_not_averaged(tmp_path):
    write_run(tmp_path, "new", 0)
    write_run(tmp_path, "old", 1, {"test/acc_last": None})
    (group,), columns = groups_below(tmp_path)
    row = group.row(columns)
    assert (row["n"], row["test/acc_last"], row["test/acc_last_std"]) == (2, None, None)
    assert row["test/acc"] == 0.99


def test_group_names_show_the_keys_in_which_groups_differ(tmp_path):
    write_run(tmp_path, "a", optimizer={"lr": 0.1})
    write_run(tmp_path, "b", optimizer={"lr": 0.01})
    assert names_below(tmp_path) == ["lr=0.01", "lr=0.1"]
    write_run(tmp_path, "c", model=MLP)  # its arguments follow from the model and are not shown
    assert names_below(tmp_path) == ["lenet5, lr=0.01", "lenet5, lr=0.1", "mlp, lr=0.1"]
    write_run(tmp_path, "d", model=MLP, record={"threads": 2})
    assert names_below(tmp_path)[2:] == ["mlp, lr=0.1, threads=1", "mlp, lr=0.1, threads=2"]


def test_group_by_accepts_configuration_groups_keys_and_runs(tmp_path):
    write_run(tmp_path, "a", optimizer={"lr": 0.1})
    write_run(tmp_path, "b", optimizer={"lr": 0.01})
    write_run(tmp_path, "c", model=LENET5 | {"activation": "relu"})
    assert names_below(tmp_path, ["model"]) == ["lenet5, activation=relu", "lenet5, activation=tanh"]
    assert names_below(tmp_path, ["optimizer.lr"]) == ["lr=0.01", "lr=0.1"]
    assert names_below(tmp_path, ["device"]) == ["device=AMD EPYC"]
    assert names_below(tmp_path, ["run"]) == [f"lenet5-mnist/{run}" for run in "abc"]
    with pytest.raises(UserError, match="group_by: no run has the key optimzer; similar: optimizer"):
        names_below(tmp_path, ["optimzer"])


def test_sort_orders_by_mean_and_names_by_their_numbers(tmp_path):
    for name, accuracy in (("resnet110", 0.8), ("resnet20", 0.9), ("vgg16", 0.85)):
        write_run(tmp_path, name, 0, acc(accuracy), model={"_target_": f"cnnlab.models.{name}"})
    write_run(tmp_path, "x", 0, {"status": "running", "test/acc": None}, model={"_target_": "cnnlab.models.alexnet"})
    assert names_below(tmp_path) == ["alexnet", "resnet20", "resnet110", "vgg16"]
    assert names_below(tmp_path, sort="test/acc") == ["resnet110", "vgg16", "resnet20", "alexnet"]
    assert names_below(tmp_path, sort="-test/acc") == ["resnet20", "vgg16", "resnet110", "alexnet"]
    with pytest.raises(UserError, match="sort: no run has the key test/ac; similar: test/acc"):
        names_below(tmp_path, sort="test/ac")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", "abc"),
        ("model=lenet5", "ab"),
        ("model!=lenet5", "c"),
        ("optimizer=sgd test/acc>0.9", "bc"),
        ("optimizer=sgd test/acc>=0.9", "abc"),
        ("seed<=1 status=done", "ab"),
        ("seed=1.0", "b"),
        ("data.limit=null", "abc"),
        ("device='AMD EPYC'", "abc"),
        ("model.hidden=[512,256]", "c"),
        ("model.hidden!=[1]", "abc"),
        ("val/acc<0.5", ""),
    ],
)
def test_where_selects_runs(tmp_path, where, expected):
    write_run(tmp_path, "a", 0, acc(0.9))
    write_run(tmp_path, "b", 1, acc(0.95))
    write_run(tmp_path, "c", 2, {"status": "failed"}, model=MLP)
    runs, _ = collect(tmp_path)
    assert "".join(run.record["run_id"] for run in chosen(runs, [where])) == expected


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("model", "where takes conditions such as model=resnet18 or test/acc>0.9, .* got 'model'"),
        ("model =lenet5", "got 'model'"),
        ("model='lenet5", 'got "model=\'lenet5": No closing quotation'),
        ("test/acc>high", "where: > needs a number, got 'test/acc>high'"),
        ("modle=x", "where: no run has the key modle; similar: model"),
    ],
)
def test_an_invalid_condition_is_rejected(tmp_path, where, message):
    write_run(tmp_path, "a")
    with pytest.raises(UserError, match=message):
        chosen(collect(tmp_path)[0], [where])


def test_pairs_are_compared_on_shared_seeds_as_scipy_does(tmp_path):
    one, other = (0.90, 0.92, 0.97, 0.91), (0.89, 0.90, 0.93)
    for seed, accuracy in enumerate(one):
        write_run(tmp_path, f"a{seed}", seed, acc(accuracy))
    for seed, accuracy in enumerate(other):
        write_run(tmp_path, f"b{seed}", seed, acc(accuracy), model=MLP)
    (pair,) = compared(groups_below(tmp_path)[0], "test/acc")
    assert pair.seeds == 3
    assert pair.difference == pytest.approx(0.07 / 3)
    assert pair.p == pytest.approx(ttest_rel(one[:3], other).pvalue)


def test_a_pair_needs_two_shared_seeds_and_a_p_value_needs_different_differences(tmp_path):
    for name, model in (("a", LENET5), ("b", MLP)):
        write_run(tmp_path, f"{name}0", 0, acc(0.9), model=model)
        write_run(tmp_path, f"{name}1", 1, {"status": "done" if name == "a" else "failed"}, model=model)
    assert compared(groups_below(tmp_path)[0], "test/acc") == []
    assert compared(groups_below(tmp_path, ["data"])[0], "test/acc") == []
    for name, model in (("a", LENET5), ("b", MLP)):
        write_run(tmp_path, f"{name}2", 2, acc(0.8), model=model)
    (pair,) = compared(groups_below(tmp_path)[0], "test/acc")
    assert (pair.seeds, pair.difference, pair.p) == (2, 0, None)


def test_seeds_that_a_group_has_twice_are_not_paired(tmp_path):
    for seed in range(2):
        for lr in (0.1, 0.01):
            for model in (LENET5, MLP):
                name = f"{seed}{lr}{model['_target_']}"
                write_run(tmp_path, name, seed, acc(0.9), model=model, optimizer={"lr": lr})
    groups, _ = groups_below(tmp_path, ["model"])
    assert [len(group.done) for group in groups] == [4, 4]
    assert compared(groups, "test/acc") == []


@pytest.mark.parametrize("content", ["epoch,train/loss\n1,abc\n", "epoch,a\n1,2,3\n", "train/loss\n1\n", b"\xff\xfe"])
def test_a_damaged_metrics_file_is_reported(tmp_path, content):
    folder = write_run(tmp_path, "a")
    (folder / "metrics.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    ((run,), _) = collect(tmp_path)
    with pytest.raises(ValueError, match=r"metrics\.csv"):
        read_rows(run)
