"""The result pages in docs/, the README and the headers of experiments have the numbers of the records."""

import json
import re
import shlex
from collections import defaultdict
from statistics import mean, median, stdev

import pytest

from cnnlab.config.compose import compose
from cnnlab.reporting.pairs import p_value
from tests.conftest import REPOSITORY
from tests.models.networks import MODELS

DOCS = REPOSITORY / "docs"
PAGE = (DOCS / "first_200_steps.md").read_text()
RECORDS = json.loads((DOCS / "first_200_steps.json").read_text())
CHANCE = 0.1


def test_each_recorded_network_is_clearly_above_chance_after_200_steps():
    others = set()
    for record in RECORDS:
        assert record["steps"] == 200
        assert record["val/acc"] > 3 * CHANCE, record["model"]
        overrides = record["command"].split()[2:]
        assert f"model={record['model']}" in overrides
        others.add(tuple(o for o in overrides if not o.startswith("model=")))
    for overrides in others:
        compose("train", overrides)


def test_the_page_has_the_numbers_of_the_records_and_lists_missing_networks():
    rows = dict(re.findall(r"^\| (\w+) \| ([\d.]+) \|$", PAGE, re.MULTILINE))
    assert rows == {record["model"]: f"{100 * record['val/acc']:.1f}" for record in RECORDS}
    missing = re.search(r"Not recorded yet: (.*)\.", PAGE)
    assert {*rows} | {*(missing[1].split(", ") if missing else ())} == {*MODELS}


def test_no_page_or_record_contains_a_local_path():
    for path in (file for file in DOCS.rglob("*") if file.suffix in (".json", ".md")):
        assert not re.search(r"(?<![\w.])/(root|home|tmp|Users|work)/", path.read_text()), path


def test_custom_convolution_is_as_accurate_as_pytorchs():
    records = {
        (r["conv"], r["model.blocks"]): r for r in json.loads((DOCS / "custom_convolution.json").read_text())["rows"]
    }
    assert len(records) == 4
    for blocks in (1, 3):
        ours, theirs = records["im2col", blocks], records["torch", blocks]
        assert abs(ours["val/acc"] - theirs["val/acc"]) < 0.01
        assert theirs["images_per_second"] < 3 * ours["images_per_second"]
        assert ours["best_epoch"] < ours["epochs"]
    rates = [f"{record['images_per_second']:,.0f}" for record in records.values()]
    assert all(rate in (REPOSITORY / "README.md").read_text() for rate in rates)


def test_the_readme_has_the_accuracies_of_residual_mnist():
    rows = {r["model"]: r for r in json.loads((DOCS / "residual_mnist.json").read_text())["rows"]}
    accuracies = " against ".join(f"{100 * rows[model]['test/acc']:.2f}" for model in ("plain18", "resnet18"))
    assert f"({accuracies} % of 2,000 test" in (REPOSITORY / "README.md").read_text()


def test_the_readme_has_the_numbers_of_the_search_on_digits():
    record = json.loads((DOCS / "search_digits.json").read_text())
    best, default = record["val/acc"]["best"], record["val/acc"]["default"]
    accuracies = " to ".join(f"{100 * mean(values):.2f} ± {100 * stdev(values):.2f}" for values in (default, best))
    chance = p_value([a - b for a, b in zip(best, default, strict=True)])
    median, none = record["study"]["median"], record["study"]["none"]
    readme = " ".join((REPOSITORY / "README.md").read_text().split())
    assert f"{none['trials']} trials of `adamw` brought LeNet-5 from {accuracies} % of 431 validation images" in readme
    assert f"(p = {chance:.2g})" in readme
    assert f"With pruning the study trained {median['epochs']} epochs, without it {none['epochs']}" in readme
    assert median["best"] >= none["best"]
    assert median["train_seconds"] < none["train_seconds"]
    for name in ("command", "best"):
        script, *words = shlex.split(record[name])[1:]
        compose(script.removeprefix("src/").removesuffix(".py"), words)


def header_of(experiment: str) -> str:
    text = (REPOSITORY / "conf" / "experiment" / f"{experiment}.yaml").read_text()
    return " ".join(line.removeprefix("#") for line in text.splitlines()).replace("  ", " ")


def test_readme_and_header_have_the_numbers_of_the_recipe_of_8_epochs():
    records = json.loads((DOCS / "cifar10_fast_8_epochs.json").read_text())
    accuracies = [100 * record["test/acc"] for record in records]
    header = header_of("cifar10_fast_8_epochs")
    accuracy = f"{mean(accuracies):.2f} ± {stdev(accuracies):.2f} %"
    assert f"Expected: {accuracy} of the test images" in header
    minutes = f"{median(record['train_seconds'] for record in records) / 60:.0f} minutes"
    readme = " ".join((REPOSITORY / "README.md").read_text().split())
    assert f"has {accuracy} of the test images of a copy of CIFAR-10 in JPEG after {minutes}" in readme
    assert f"Cost: {minutes}" in header


@pytest.mark.parametrize("name", ["cifar10_fast_24_epochs", "cifar10_fast_long"])
def test_readme_and_header_have_the_numbers_of_a_longer_run(name):
    record = json.loads((DOCS / f"{name}.json").read_text())
    assert (record["status"], record["git_clean"], record["limits"]) == ("done", True, {})
    assert (record["epochs"], record["processes"], record["threads"], record["data"]["train"]) == (24, 4, 1, 50_000)
    compose("train", record["overrides"])
    readme = " ".join((REPOSITORY / "README.md").read_text().split())
    accuracy, minutes = f"{100 * record['test/acc']:.2f} %", f"{record['train_seconds'] / 60:.0f} minutes"
    assert f"has {accuracy} after {minutes}" in readme
    command = " ".join(record["overrides"]).replace("cifar10_fast ", "cifar10_fast_8_epochs ")  # its name today
    assert f"`{command}`" in readme
    header = (REPOSITORY / "conf" / "experiment" / "cifar10_fast_long.yaml").read_text()
    assert accuracy in header
    assert f"Cost: {minutes}" in header or name != "cifar10_fast_long"


def test_page_header_and_readme_have_the_numbers_of_the_ablation():
    accuracies: dict[str, list[float]] = defaultdict(list)
    for row in json.loads((DOCS / "cifar10_fast_ablation.json").read_text())["rows"]:
        assert (row["n"], row["epochs"], row["limited"]) == (1, 2, False)
        assert row["seed"] == len(accuracies[row["choices.ablation"]])
        accuracies[row["choices.ablation"]].append(100 * row["val/acc"])
    assert set(map(len, accuracies.values())) == {3}
    page = (DOCS / "cifar10_fast_ablation.md").read_text()
    table = re.findall(r"^\| `(\w+)` \| [^|]+ \| (.*) \| (.*) \| (.*) \|$", page, re.MULTILINE)
    assert [part for part, *_ in table] == sorted(accuracies, key=lambda part: -mean(accuracies[part]))
    parts = {path.stem for path in (REPOSITORY / "conf" / "experiment" / "without").glob("*.yaml")}
    assert {*accuracies} == parts - {"nothing"} | {"none"}  # the part's name when the records were made
    for part, accuracy, difference, p in table:
        assert accuracy == f"{mean(accuracies[part]):.2f} ± {stdev(accuracies[part]):.2f}"
        if part != "none":
            differences = [a - b for a, b in zip(accuracies[part], accuracies["none"], strict=True)]
            assert difference == f"{mean(differences):+.2f} ± {stdev(differences):.2f}"
            assert p == f"{p_value(differences):.2g}"
            assert (p_value(differences) < 0.05) is (part == "muon")
            assert abs(mean(differences)) < stdev(accuracies["none"]) or part == "muon"
    shown = {part: accuracy for part, accuracy, *_ in table}
    header = (REPOSITORY / "conf" / "experiment" / "cifar10_fast_ablation.yaml").read_text()
    assert f"Expected: {shown['none']} % of the validation images with every part, {shown['muon']} with SGD" in header
    lost = mean(accuracies["none"]) - mean(accuracies["muon"])
    readme = " ".join((REPOSITORY / "README.md").read_text().split())
    assert f"with SGD in place of Muon {lost:.2f} points less" in readme


def test_the_readme_has_the_numbers_of_resnet18_at_equal_time():
    records = json.loads((DOCS / "resnet18_equal_time.json").read_text())
    assert [(record["seed"], record["git_clean"]) for record in records] == [(0, True), (1, True)]
    overrides = records[0]["overrides"]
    assert records[1]["overrides"] == [*overrides, "seed=1"]
    compose("train", overrides)
    readme = " ".join((REPOSITORY / "README.md").read_text().split())
    assert f"`{' '.join(overrides)}`" in readme
    accuracies = " and ".join(f"{100 * record['test/acc']:.2f}" for record in records)
    minutes = " and ".join(f"{record['train_seconds'] / 60:.1f}" for record in records)
    assert f"in two runs of 1.2 epochs, has {accuracies} % after {minutes} minutes" in readme


def test_the_header_of_sweep_precision_has_the_numbers_of_its_records():
    header = " ".join((REPOSITORY / "conf" / "experiment" / "sweep_precision.yaml").read_text().split())
    for record in json.loads((DOCS / "precision.json").read_text()).values():
        single, half = record["rows"]
        assert (single["trainer.precision"], half["trainer.precision"]) == ("32-true", "bf16-mixed")
        assert single["seeds"] == half["seeds"] == "0 1 2"
        assert abs(single["val/acc"] - half["val/acc"]) <= max(single["val/acc_std"], half["val/acc_std"])
        cells = (f"{100 * row['val/acc']:.2f} ± {100 * row['val/acc_std']:.2f}" for row in (single, half))
        assert " and ".join(cells) in header
        compose("train", record["command"].split()[3:])


SMALL = json.loads((DOCS / "small_experiments.json").read_text())


@pytest.mark.parametrize("experiment", SMALL)
def test_the_header_of_a_small_experiment_has_the_accuracies_of_its_records(experiment):
    lines = (REPOSITORY / "conf" / "experiment" / f"{experiment}.yaml").read_text().splitlines()
    header = " ".join(" ".join(line.removeprefix("#") for line in lines if line.startswith("#")).split())
    for row in SMALL[experiment]["rows"]:
        accuracies = [100 * accuracy for accuracy in row["test/acc of each"]]
        assert f"{mean(accuracies):.2f} ± {stdev(accuracies):.2f}" in header
    compose("train", SMALL[experiment]["command"].split()[3:])
