"""The page of one run and of many, opened in a browser without a network; its numbers are read back from it."""

import csv
import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from cnnlab.commands.report import run as report
from cnnlab.config.compose import compose
from cnnlab.data.datamodule import Subset
from cnnlab.data.images import Split
from cnnlab.errors import UserError
from cnnlab.rendering.numbers import percent
from cnnlab.reporting.groups import columns_of, grouped, in_order
from cnnlab.reporting.page import trained_facts
from cnnlab.reporting.page.content import content_of
from cnnlab.reporting.page.document import document
from cnnlab.reporting.pairs import compared
from cnnlab.reporting.records import collect, read_run
from cnnlab.runs.predictions import Predictions
from cnnlab.runs.run import train
from tests.reporting.synthetic import LENET5, MLP, acc, write_run
from tests.web.browser import needs_browser, opened

HOSTILE = "</script><script>window.hacked = true</script><img src=x onerror='window.hacked = true'>"
MEGABYTE = 10**6
# The lowest contrast (WCAG 2) of any text with the color behind it; a background of color-mix() is computed in sRGB.
LOWEST_CONTRAST = """
() => {
    const parsed = (color) => {
        const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
        return color.startsWith("color(") ? [255 * r, 255 * g, 255 * b, a] : [r, g, b, a];
    };
    const behind = (node) => {
        for (; node !== null; node = node.parentElement) {
            const color = parsed(getComputedStyle(node).backgroundColor);
            if (color[3] === 1) return color;
        }
        throw new Error("nothing is behind the text");
    };
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const luminance = (color) => {
        const [r, g, b] = color.map((c) => linear(c / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const texts = document.createTreeWalker(document.getElementById("page"), NodeFilter.SHOW_TEXT);
    let lowest = { ratio: 21 };
    while (texts.nextNode()) {
        const node = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || !node.checkVisibility()) continue;
        const style = getComputedStyle(node);
        const isDrawn = node instanceof SVGElement;
        if (isDrawn && node.tagName === "title") continue;
        const pair = [parsed(isDrawn ? style.fill : style.color), behind(node)].map(luminance).sort((a, b) => b - a);
        const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
        if (ratio < lowest.ratio) lowest = { ratio, text: texts.currentNode.data, class: node.className.toString() };
    }
    return lowest;
}
"""


def write_page(folder: Path, *options: str) -> Path:
    """The page of the runs below `folder`, beside it."""
    figures = folder.parent / f"{folder.name}-report"
    report(compose("report", [f"log_dir={folder}", f"figures={figures}", "plot=false", "page=true", *options]))
    return figures / "report.html"


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data_root) -> Path:
    """The folder of a run of LeNet-5 on digits, trained for two epochs, so that it makes mistakes."""
    logs = tmp_path_factory.mktemp("logs")
    options = ["trainer.max_epochs=2", "trainer.precision=32-true", "logger=none", "callbacks=none"]
    cfg = compose("train", [f"log_dir={logs}", f"data.root={data_root}", *options])
    record = train(cfg)
    return next(logs.glob(f"*/*{record['run_id']}"))


@pytest.fixture(scope="module")
def page_of_one(trained) -> Path:
    return write_page(trained)


@pytest.fixture(scope="module")
def twenty(trained, tmp_path_factory) -> Path:
    """A folder of 20 runs with checkpoints: four learning rates, and five seeds with accuracies of their own."""
    logs = tmp_path_factory.mktemp("twenty")
    for index in range(20):
        folder = logs / "lenet5-digits" / f"{index:010}"
        shutil.copytree(trained, folder)
        record = json.loads((folder / "result.json").read_text())
        del record["checksum"]
        seed, rate = index % 5, 0.001 * (1 + index // 5)
        record |= {
            "run_id": folder.name,
            "seed": seed,
            "test/acc": 0.9 + 0.01 * (index // 5) + 0.001 * (index * index % 7),
        }
        (folder / "result.json").write_text(json.dumps(record))
        config = (folder / "config.yaml").read_text().replace("seed: 0\n", f"seed: {seed}\n", 1)
        (folder / "config.yaml").write_text(config.replace("  lr: ", f"  lr: {rate}\n  unused: "))
    return logs


@pytest.fixture(scope="module")
def page_of_many(twenty) -> Path:
    return write_page(twenty)


def numbers(page, selector: str) -> list[float]:
    """The numbers that the elements carry, whose text is written with them."""
    return [float(value) for value in page.locator(selector).evaluate_all("all => all.map((one) => one.value)")]


@needs_browser
def test_the_numbers_of_one_run_are_those_of_its_record(trained, page_of_one):
    record = json.loads((trained / "result.json").read_text())
    with opened(page_of_one) as page:
        keys = ("test/acc", "val/acc", "train_seconds", "parameters", "macs")
        assert numbers(page, ".tiles data") == [record[key] for key in keys]
        texts = page.locator(".tiles data").all_inner_texts()
        assert texts[:2] == [percent(record["test/acc"]), percent(record["val/acc"])]
        assert texts[3] == f"{record['parameters']:,}"
        confusion = numbers(page, ".matrix data")
        assert sum(confusion) == record["data"]["test"]
        hits = sum(numbers(page, ".matrix .hit data"))
        assert hits / sum(confusion) == pytest.approx(record["test/acc"])
        weights, biases, macs = numbers(page, "tfoot data")[:3]
        assert (weights + biases, macs) == (record["parameters"], record["macs"])
        for text in (record["git_commit"], record["data"]["fingerprint"], "python src/train.py"):
            assert text is None or page.get_by_text(text).count()


@needs_browser
def test_the_epochs_are_those_of_the_metrics(trained, page_of_one):
    with (trained / "metrics.csv").open() as file:
        expected = [float(value) for row in csv.DictReader(file) for value in row.values()]
    with opened(page_of_one) as page:
        page.get_by_text("All epochs as a table").click()
        shown = numbers(page, "details table tbody data")
    assert shown == pytest.approx(expected, rel=1e-6)


@needs_browser
def test_curves_show_the_values_under_the_pointer_and_by_the_arrow_keys(trained, page_of_one):
    with (trained / "metrics.csv").open() as file:
        first, last = list(csv.DictReader(file))
    with opened(page_of_one) as page:
        figure = page.locator("figure.curves").first
        figure.locator("svg").hover(position={"x": 70, "y": 60})
        assert figure.locator(".where").inner_text() == "epoch 1"
        assert figure.locator(".legend data").last.inner_text() == percent(float(first["val/acc"]))
        figure.locator("svg").focus()
        page.keyboard.press("End")
        assert percent(float(last["val/acc"])) in figure.locator("svg").get_attribute("aria-valuetext")


@needs_browser
def test_a_cell_of_the_confusion_matrix_shows_the_images_behind_it(page_of_one):
    with opened(page_of_one, width=390) as page:
        cell = page.locator(".matrix button").first
        words = cell.get_attribute("aria-label")  # such as "0 taken for 6: 2 images"
        classes, images = words.split(": ")
        cell.click()
        assert page.locator(".behind h3").inner_text().startswith(words)
        shown = page.locator(".images figure")
        assert shown.count() == min(8, int(images.split()[0]))
        assert shown.first.get_attribute("title").startswith(classes.replace(" taken for ", ", predicted "))
        assert "blob:" in shown.first.locator(".tile").evaluate("one => getComputedStyle(one).backgroundImage")


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_fit_the_screen_and_are_readable(page_of_one, page_of_many, width, scheme):
    for path in (page_of_one, page_of_many):
        with opened(path, width=width, color_scheme=scheme) as page:
            assert page.evaluate("document.documentElement.scrollWidth") == width
            lowest = page.evaluate(LOWEST_CONTRAST)
            assert lowest["ratio"] >= 4.5, lowest


@needs_browser
def test_a_page_prints_in_dark_letters_whatever_the_screen(page_of_one):
    with opened(page_of_one, color_scheme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        ink = page.evaluate("getComputedStyle(document.body).color.match(/\\d+/g).map(Number)")
        assert max(ink) < 64
        assert not page.locator(".copy").is_visible()


@contextmanager
def hostile_page(folder: Path, many: bool):
    """A page on which every name of a class, a run, a network and a dataset is markup."""
    for index in range(3 if many else 1):
        record = {"name": HOSTILE, "run_id": f"{HOSTILE}{index}", "device": HOSTILE, "overrides": [HOSTILE]}
        write_run(folder, f"run{index}", index, record, model={"_target_": "lenet5", "note": HOSTILE})
    runs, notes = collect(folder)
    groups = grouped(runs, ["run"])
    content = content_of(groups, ["run"], [HOSTILE, *notes], evaluate=False)
    confusion = [[3, 1], [0, 4]]
    for run in content["runs"]:
        run["network"] = run["data"] = HOSTILE
        run["evaluation"] = {
            "split": "test", "classes": [HOSTILE, "other"], "accuracy": 0.875, "top5": None, "confusion": confusion,
            "by_class": [[1.0, 0.75, 0.86, 4], [0.8, 1.0, 0.89, 4]],
            "calibration": {"ece": 0.1, "bins": [[8, 0.9, 0.875]]},
            "mistakes": {"total": 1, "rows": [], "sheet": None},
        }  # fmt: skip
    path = folder / "report.html"
    path.write_text(document(HOSTILE, content), encoding="utf-8")
    with opened(path) as page:
        yield page
        assert page.evaluate("window.hacked") is None


@needs_browser
def test_names_that_are_markup_are_shown_as_text(tmp_path):
    with hostile_page(tmp_path, many=False) as page:
        assert page.title() == HOSTILE
        assert page.locator(".matrix th").nth(0).inner_text() == HOSTILE
        page.locator(".matrix button").click()
        assert page.locator(".behind h3").inner_text().startswith(HOSTILE)
        assert page.locator("#page img").count() == 0


@needs_browser
def test_names_that_are_markup_are_shown_as_text_in_a_table_of_runs(tmp_path):
    with hostile_page(tmp_path, many=True) as page:
        page.locator("table a").first.click()
        assert HOSTILE in page.locator("h1").inner_text()


@needs_browser
def test_the_table_of_many_runs_has_the_means_and_deviations_of_the_groups(twenty, page_of_many):
    runs, _ = collect(twenty)
    groups = grouped(runs, None)
    columns = columns_of(groups, None)
    groups = in_order(groups, columns, None)
    with opened(page_of_many) as page:
        table = page.locator("table", has=page.get_by_text("configurations", exact=True))
        rows = table.locator("tbody tr")
        assert rows.count() == 4
        for row, group in zip(rows.all(), groups, strict=True):
            mean, std = group.mean("test/acc"), group.std("test/acc")
            assert mean in [float(cell.get_attribute("value")) for cell in row.locator("data").all()]
            assert f"{100 * mean:.2f} ± {100 * std:.2f}" in row.inner_text()
        pairs = page.locator("table", has=page.get_by_text("paired tests", exact=True)).locator("tbody tr")
        shown = [[float(cell.get_attribute("value")) for cell in row.locator("data").all()] for row in pairs.all()]
    assert shown == [[pair.seeds, pair.difference, pair.p] for pair in compared(groups, "test/acc")]


@needs_browser
def test_the_table_of_runs_is_sorted_and_filtered(twenty, page_of_many):
    accuracies = [run.record["test/acc"] for run in collect(twenty)[0]]
    with opened(page_of_many) as page:
        region = page.get_by_role("region", name="runs", exact=True)
        region.get_by_role("button", name="test %").click()
        fifth = region.locator("tbody tr td:nth-child(6) data")
        assert [float(one.get_attribute("value")) for one in fifth.all()] == sorted(accuracies, reverse=True)
        region.get_by_role("button", name="test %").click()
        assert float(fifth.first.get_attribute("value")) == min(accuracies)
        page.get_by_label("filter: runs").fill("seed=1 test>92")
        expected = [accuracy for i, accuracy in enumerate(accuracies) if i % 5 == 1 and accuracy > 0.92]
        assert [float(one.get_attribute("value")) for one in fifth.all()] == sorted(expected)
        assert page.locator("output").last.inner_text() == f"{len(expected)} of 20"


@needs_browser
def test_comparison_curves_show_the_chosen_groups_and_a_run_has_a_view_of_its_own(page_of_many):
    with opened(page_of_many) as page:
        legend = page.locator("figure.curves").first.locator("li")
        assert legend.count() == 4
        page.get_by_role("checkbox").first.uncheck()
        assert legend.count() == 3
        link = page.locator("table a").first
        name = link.inner_text()
        link.click()
        assert name in page.locator(".lead").inner_text()
        assert page.locator(".matrix").count() == 1
        page.go_back()
        assert page.locator("h1").inner_text() == "20 runs on digits"


def test_a_page_of_twenty_evaluated_runs_is_below_three_megabytes(page_of_many):
    text = page_of_many.read_text(encoding="utf-8")
    assert text.count('"evaluation":{') == 20
    assert len(text.encode()) < 3 * MEGABYTE


@pytest.mark.parametrize("budget", [20_000, 200_000])
def test_mistaken_images_fit_their_budget_and_the_most_confident_are_kept(budget):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (600, 3, 32, 32), dtype=torch.uint8, generator=generator)
    subset = Subset(Split(images, torch.randint(10, (600,), generator=generator)), torch.arange(600))
    found = Predictions.of("test", subset, torch.randn(600, 10, generator=generator))
    mistakes = trained_facts._mistakes(found, subset, budget)
    assert 0 < len(mistakes["sheet"]["url"]) <= budget
    assert len(mistakes["rows"]) == mistakes["sheet"]["count"] < mistakes["total"]
    wrong = found.predicted != found.labels
    assert mistakes["rows"][0][2] == pytest.approx(float(found.confidence[wrong].max()), abs=1e-4)


@pytest.mark.parametrize("stored", [True, False])
def test_the_predictions_are_those_of_the_run_or_computed(trained, tmp_path, stored, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    if stored:
        monkeypatch.setattr(trained_facts, "predict_logits", None)
    else:
        (folder / "predictions.npz").unlink()
    facts = trained_facts.trained_facts(read_run(folder), budget=100_000)
    assert facts["evaluation"]["accuracy"] == pytest.approx(read_run(folder).record["test/acc"])
    assert facts["evaluation"]["mistakes"]["sheet"] is not None
    assert facts["notes"] == []


def test_without_images_the_stored_predictions_are_shown_and_the_reason(trained, tmp_path, monkeypatch):
    def missing(*arguments):
        raise UserError("data=digits is not there")

    monkeypatch.setattr(trained_facts, "datamodule_of", missing)
    facts = trained_facts.trained_facts(read_run(trained), budget=100_000)
    assert facts["evaluation"]["accuracy"] == pytest.approx(read_run(trained).record["test/acc"])
    assert facts["evaluation"]["mistakes"]["sheet"] is None
    assert facts["notes"] == ["Its images are not shown: data=digits is not there"]


def test_a_run_without_checkpoint_says_what_is_missing(tmp_path, capsys):
    write_run(tmp_path / "logs", "a", model=LENET5)
    (tmp_path / "logs" / "lenet5-mnist" / "a" / "metrics.csv").unlink()
    text = write_page(tmp_path / "logs").read_text(encoding="utf-8")
    assert "The trained network was not evaluated: checkpoint=" in text
    assert "No curves: metrics.csv cannot be read" in text


def test_more_than_twenty_runs_are_evaluated_only_if_asked_for(tmp_path, capsys):
    for index in range(21):
        write_run(tmp_path / "logs", str(index), index, acc(0.9), model=MLP)
    text = write_page(tmp_path / "logs").read_text(encoding="utf-8")
    assert text.count("The trained network was not evaluated; evaluate=true does it.") == 21
