"""`python src/report.py`: the table, its formats, its figure, and its run time."""

import csv
import io
import json
import subprocess
import sys
import time

import pytest
from PIL import Image

from cnnlab.commands.report import run as report
from cnnlab.config.compose import compose
from cnnlab.errors import UserError
from tests.conftest import REPOSITORY
from tests.reporting.synthetic import LENET5, MLP, acc, write_run

TABLE = """\
model   n  unfinished  epochs  best         val %        test %        last %  minutes  images/s  limited
─────────────────────────────────────────────────────────────────────────────────────────────────────────
lenet5  2                   2     2  99.10 ± 0.00  91.00 ± 1.41  98.95 ± 0.00      1.5    12,346
mlp     2  1 running        2     2  99.10 ± 0.00  88.00 ± 1.41  98.95 ± 0.00      1.5    12,346  yes

all with data=mnist, augment=none, optimizer=SGD

test accuracy on shared seeds, first minus second, in percentage points; p of the pair's own paired t-test

first   second  seeds    difference  p
──────────────────────────────────────
lenet5  mlp         2  +3.00 ± 0.00
"""


@pytest.fixture
def logs(tmp_path):
    folder = tmp_path / "logs"
    for seed in range(2):
        write_run(folder, f"a{seed}", seed, acc(0.90 + 0.02 * seed))
        limits = {"limits": {"data.limit": 100}} if seed else {}
        write_run(folder, f"b{seed}", seed, acc(0.87 + 0.02 * seed) | limits, model=MLP)
    write_run(folder, "b2", 2, {"status": "running"}, model=MLP)
    return folder


def printed(capsys, logs, *options):
    report(compose("report", [f"log_dir={logs}", *options]))
    return capsys.readouterr()


def test_the_table_of_groups_their_pairs_and_the_figure(capsys, logs):
    out, err = printed(capsys, logs)
    figure = logs / "report" / "curves.png"
    assert out == f"{TABLE}\nfigure: {figure}\n"
    assert err == ""
    with Image.open(figure) as image:
        assert image.width > image.height > 300


def test_untested_runs_are_compared_by_validation_accuracy(capsys, tmp_path):
    for seed in range(2):
        for name, model, value in (("a", LENET5, 0.9), ("b", MLP, 0.8)):
            folder = write_run(tmp_path, f"{name}{seed}", seed, {"val/acc": value + 0.01 * seed}, model=model)
            record = json.loads((folder / "result.json").read_text())
            untested = {key: value for key, value in record.items() if not key.startswith("test/")}
            (folder / "result.json").write_text(json.dumps(untested))
    out, _ = printed(capsys, tmp_path)
    assert "validation accuracy on shared seeds" in out
    assert "lenet5  mlp         2  +10.00 ± 0.00" in out
    assert "test" not in out.splitlines()[0]


def test_markdown_csv_and_json_go_to_a_file(capsys, logs, tmp_path):
    out, _ = printed(capsys, logs, "format=markdown", "plot=false")
    lines = [line for line in out.splitlines() if line.startswith("| lenet5 ")]
    assert lines[0].split(" | ")[6] == "91.00 ± 1.41"
    options = (f"output={tmp_path}/t.csv", "plot=false")
    out, _ = printed(capsys, logs, "format=csv", *options)
    assert out == f"written: {tmp_path}/t.csv\nwritten: {tmp_path}/t_pairs.csv\n"
    rows = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text())))
    assert [(row["model"], row["n"], row["seeds"]) for row in rows] == [("lenet5", "2", "0 1"), ("mlp", "2", "0 1")]
    out, err = printed(capsys, logs, "format=json")
    content = json.loads(out)
    assert err.startswith("figure: ")
    assert content["rows"][0]["test/acc"] == pytest.approx(0.91)
    (pair,) = content["pairs"]
    assert (pair["first"], pair["second"], pair["seeds"]) == ("lenet5", "mlp", 2)


def test_a_row_for_each_run(capsys, logs):
    out, _ = printed(capsys, logs, "group_by=[run,status,seed]", "sort=-test/acc", "plot=false")
    cells = [line.split()[:3] for line in out.splitlines()[2:7]]
    expected = [
        ("a1", "done", "1"),
        ("a0", "done", "0"),
        ("b1", "done", "1"),
        ("b0", "done", "0"),
        ("b2", "running", "2"),
    ]
    assert cells == [[f"lenet5-mnist/{run}", *rest] for run, *rest in expected]
    assert "first" not in out


def test_an_empty_selection_is_reported(capsys, logs, tmp_path):
    (tmp_path / "empty").mkdir()
    assert printed(capsys, tmp_path / "empty")[0] == f"no runs in {tmp_path / 'empty'} yet\n"
    assert printed(capsys, logs, "where=model=vgg16")[0] == "none of 5 runs fits where=model=vgg16\n"
    out, _ = printed(capsys, logs, "where=status=running")
    assert "1 running" in out
    assert "figure" not in out


def test_a_run_without_epochs_is_reported_and_the_others_are_drawn(capsys, logs):
    folder = logs / "lenet5-mnist"
    (folder / "a0" / "metrics.csv").unlink()
    out, _ = printed(capsys, logs)
    assert f"not drawn: {folder / 'a0'}: metrics.csv cannot be read" in out
    assert "figure: " in out


def test_many_groups_are_neither_drawn_nor_compared(capsys, tmp_path):
    for index in range(9):
        for seed in range(2):
            write_run(tmp_path, f"{index}{seed}", seed, optimizer={"lr": 0.1 * index})
    out, _ = printed(capsys, tmp_path)
    assert len(out.splitlines()) == 2 + 9 + 4
    assert out.endswith("\nup to 8 groups are drawn and compared in pairs, got 9: select some with where=\n")


def test_the_command_imports_nothing_heavy_and_accepts_comparisons_without_nested_quotes(command, logs):
    done = command("src/report.py", "where=model=lenet5 test/acc>0.9", "plot=false")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2].split()[:3] == ["lenet5", "mnist", "1"]
    heavy = (
        "import cnnlab.commands.report, sys; print({'torch', 'lightning', 'matplotlib', 'scipy'} & set(sys.modules))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", heavy], cwd=REPOSITORY / "src", capture_output=True, text=True, check=True
    )
    assert shown.stdout == "set()\n"


@pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.slow)])
def test_thousands_of_records_are_read_in_seconds(command, tmp_path, count):
    for index in range(count):
        seed, rest = index % 5, index // 5
        model = (LENET5, MLP)[rest % 2]
        write_run(
            tmp_path / "logs", str(index), seed, acc(0.9 + 0.001 * seed), model=model, optimizer={"lr": rest / 100}
        )
    (tmp_path / "logs" / "lenet5-mnist" / "7" / "result.json").write_text('{"sta')
    start = time.monotonic()
    done = command("src/report.py")
    assert time.monotonic() - start < 10
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2 + count // 5 + 5
    assert "lenet5-mnist/7/result.json: result.json is damaged" in done.stdout


def test_a_model_has_the_name_of_its_choice(tmp_path, capsys):
    for i, choice in enumerate(("resnet20", "plain20")):
        write_run(tmp_path, f"run{i}", record={"choices": {"model": choice}})
    report(compose("report", [f"log_dir={tmp_path}", "plot=false"]))
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:4]] == ["plain20", "resnet20"]


def test_a_page_of_all_runs_or_of_the_one_that_is_left(capsys, logs, tmp_path):
    page = logs / "report" / "report.html"
    out, _ = printed(capsys, logs, "page=true", "plot=false", "evaluate=false")
    assert out.endswith(f"\npage: {page}\n")
    assert "<title>5 runs</title>" in page.read_text()
    printed(capsys, logs, "page=true", "plot=false", "evaluate=false", "where=model=lenet5 seed=0")
    assert "<title>lenet5 on mnist</title>" in page.read_text()
    run = logs / "lenet5-mnist" / "b1"
    out, _ = printed(capsys, run, "page=true", "plot=false", "evaluate=false", f"figures={tmp_path}/page")
    assert out.endswith(f"\npage: {tmp_path}/page/report.html\n")
    assert "<title>mlp on mnist</title>" in (tmp_path / "page" / "report.html").read_text()


def test_a_page_that_cannot_be_written_is_reported_before_anything_is_evaluated(capsys, logs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"figures=.*file/folder cannot be written: Not a directory"):
        printed(capsys, logs, "page=true", "plot=false", f"figures={tmp_path}/file/folder")
    assert "evaluating" not in capsys.readouterr().err
