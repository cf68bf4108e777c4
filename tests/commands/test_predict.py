"""`predict`: image files of all kinds through a trained network, and bad input."""

import csv
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnlab.commands.eval import run as evaluate
from cnnlab.commands.predict import run as predict
from cnnlab.config.compose import compose
from cnnlab.data import cache
from cnnlab.errors import UserError
from cnnlab.runs.evaluation import Evaluation
from cnnlab.runs.run import train
from tests.conftest import REPOSITORY
from tests.predict.trees import write_classes

DRAWINGS = REPOSITORY / "docs" / "drawings"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, data_root) -> Path:
    """A LeNet-5 after an epoch of the digits."""
    logs = tmp_path_factory.mktemp("logs")
    cfg = compose("train", [f"log_dir={logs}", f"data.root={data_root}", "trainer.max_epochs=1", "logger=none"])
    train(cfg)
    return next(logs.rglob("best.ckpt"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory, data_root) -> Path:
    """The test images of the digits as PNG files in folders named by class."""
    root = tmp_path_factory.mktemp("digits")
    dataset = cache.load("digits", data_root, download=False)
    write_classes(root, dataset.test.images, dataset.test.labels, dataset.classes)
    return root


@pytest.fixture
def configure(checkpoint, tmp_path):
    """Composes `predict` of the module's network with its files in `tmp_path`."""
    places = [f"log_dir={tmp_path / 'logs'}"]
    return lambda *overrides: compose("predict", [f"checkpoint={checkpoint}", *places, *overrides])


@pytest.fixture
def white_seven(tmp_path) -> Path:
    path = tmp_path / "seven.png"
    path.write_bytes((DRAWINGS / "seven.png").read_bytes())
    return path


def rows_of(output: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(output.read_text(encoding="utf-8").splitlines()))


def evaluated(checkpoint: Path, data_root: Path, tmp_path: Path) -> Evaluation:
    return evaluate(compose("eval", [f"checkpoint={checkpoint}", f"data.root={data_root}", f"figures={tmp_path}"]))


def test_files_give_exactly_the_accuracy_of_evaluation(configure, checkpoint, tree, data_root, tmp_path):
    output = tmp_path / "predictions.json"
    predict(configure(f"images={tree}", "format=json", f"output={output}"))
    found = json.loads(output.read_text())
    expected = evaluated(checkpoint, data_root, tmp_path)
    assert found["accuracy"] == expected.accuracy
    assert found["confusion"] == expected.confusion.tolist()


def test_the_table_has_facts_accuracy_and_confusion_matrix(configure, tree, capsys):
    predict(configure(f"images={tree / '7'},{tree / '3'}", "top=1"))
    out = capsys.readouterr().out
    for part in (
        "network       lenet5 trained on digits",
        "decoding",
        "forward pass",
        "images in folders named by class",
    ):
        assert part in out
    assert "predicted   0   1   2" in out


def test_a_csv_file_has_a_row_for_each_class_of_each_image(configure, tree, tmp_path):
    output = tmp_path / "new" / "predictions.csv"
    predict(configure(f"images={tree / '4'}", "format=csv", "top=4", f"output={output}"))
    rows = rows_of(output)
    assert list(rows[0]) == ["file", "rank", "class", "probability", "notes"]
    assert len(rows) == 4 * len(list((tree / "4").iterdir()))
    assert [row["rank"] for row in rows[:5]] == ["1", "2", "3", "4", "1"]


def test_only_predictions_are_printed_to_a_pipe(configure, tree, capsys):
    predict(configure(f"images={tree / '4'}", "format=json"))
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)["rows"]) == 3 * len(list((tree / "4").iterdir()))
    assert "accuracy" in printed.err


def test_unreadable_files_are_rows_and_an_error_at_the_end(configure, tree, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "text.png").write_text("not an image")
    image = next((tree / "4").iterdir())
    (folder / "whole.png").write_bytes(image.read_bytes())
    (folder / "half.png").write_bytes(image.read_bytes()[:150])
    output = tmp_path / "predictions.csv"
    with pytest.raises(UserError, match=r"2 of 3 images cannot be read, such as .*half.png: "):
        predict(configure(f"images={folder}", "format=csv", "top=1", f"output={output}"))
    rows = {Path(row["file"]).name: row for row in rows_of(output)}
    assert rows["text.png"]["notes"] == "unreadable: not an image"
    assert rows["half.png"]["class"] == ""
    assert rows["whole.png"]["class"] != ""


@pytest.mark.parametrize("batch_size", [1, 7])
def test_predictions_do_not_depend_on_the_batch(configure, tree, tmp_path, batch_size):
    tables = []
    for size in (500, batch_size):
        output = tmp_path / f"{size}.csv"
        predict(
            configure(
                f"images={tree / '5'}", "format=csv", f"output={output}", f"batch_size={size}",
                "trainer.precision=32-true", "trainer.threads=1",
            )
        )  # fmt: skip
        tables.append(rows_of(output))
    assert [row["class"] for row in tables[0]] == [row["class"] for row in tables[1]]
    values = [[float(row["probability"]) for row in table] for table in tables]
    assert values[0] == pytest.approx(values[1], abs=1e-5)


@pytest.mark.parametrize("name", ["seven.png", "three.png", "five.jpg"])
def test_the_pretrained_network_reads_our_drawings(name, tmp_path, capsys):
    cfg = compose(
        "predict",
        ["checkpoint=pretrained:lenet5-mnist", f"images={DRAWINGS / name}", "format=csv", f"log_dir={tmp_path}"],
    )
    predict(cfg.model_copy(update={"checkpoint": str(REPOSITORY / "src/cnnlab/pretrained/lenet5-mnist.safetensors")}))
    first = next(csv.DictReader(capsys.readouterr().out.splitlines()))
    digits = {"seven": "7", "three": "3", "five": "5"}
    assert (first["class"], float(first["probability"]) > 0.9) == (digits[Path(name).stem], True)
    assert "inverted, centered" in first["notes"]


@pytest.mark.parametrize("kind", ["cmyk", "16-bit", "transparent", "palette", "rotated", "animated"])
def test_images_of_any_mode_are_read_alike(configure, white_seven, tmp_path, capsys, kind):
    gray = Image.open(white_seven).convert("L")
    path = tmp_path / {"cmyk": "x.jpg", "rotated": "x.jpg", "animated": "x.gif"}.get(kind, "x.png")
    match kind:
        case "cmyk":
            gray.convert("CMYK").save(path, quality=95)
        case "16-bit":
            Image.fromarray(np.asarray(gray).astype(np.uint16) * 257).save(path)
        case "transparent":
            black = Image.new("L", gray.size)
            Image.merge("LA", (black, Image.eval(gray, lambda value: 255 - value))).save(path)
        case "palette":
            gray.convert("P").save(path)
        case "rotated":
            exif = Image.Exif()
            exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees to show it
            gray.rotate(90, expand=True).save(path, exif=exif, quality=95)
        case "animated":
            gray.save(path, save_all=True, append_images=[Image.new("L", gray.size, 255)])
    predict(configure(f"images={white_seven},{path}", "format=csv", "top=10"))
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    expected, found = ({row["class"]: float(row["probability"]) for row in part} for part in (rows[:10], rows[10:]))
    assert found == pytest.approx(expected, abs=0.03)


def test_the_contact_sheet_shows_the_images(configure, tree, tmp_path):
    predict(configure(f"images={tree / '4'}", "contact_sheet=true", f"figures={tmp_path / 'figures'}"))
    assert (tmp_path / "figures" / "contact_sheet.png").stat().st_size > 10_000


def test_a_map_of_each_image_is_drawn(configure, tree, tmp_path):
    first = next((tree / "4").iterdir())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / first.name).write_bytes(first.read_bytes())
    images = f"images={first},{tmp_path / 'other'}"
    predict(configure(images, "explain=gradcam", f"figures={tmp_path / 'figures'}"))
    drawn = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert drawn == [f"gradcam_{first.stem}.png", f"gradcam_{first.stem}_2.png"]


def test_a_method_that_is_not_for_the_network_is_refused(configure, tree, tmp_path):
    with pytest.raises(UserError, match="explain=cam "):
        predict(configure(f"images={tree / '4'}", "explain=cam", f"figures={tmp_path / 'figures'}"))


def test_a_place_that_cannot_be_written_is_reported_before_the_images_are_read(configure, tree, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr("cnnlab.commands.predict._predict", lambda *_: pytest.fail("the images were read"))
    with pytest.raises(UserError, match=r"output=.*x.csv cannot be written: "):
        predict(configure(f"images={tree}", f"output={tmp_path / 'file' / 'x.csv'}"))
    with pytest.raises(UserError, match=r"output=.* cannot be written: it is a folder"):
        predict(configure(f"images={tree}", f"output={tmp_path}"))
    with pytest.raises(UserError, match=r"figures=.* cannot be written: "):
        predict(configure(f"images={tree}", "contact_sheet=true", f"figures={tmp_path / 'file' / 'figures'}"))


def test_a_folder_of_texts_is_reported(configure, tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").touch()
    with pytest.raises(UserError, match=r"images: there are no images in .*texts .*a.txt"):
        predict(configure(f"images={tmp_path / 'texts'}"))


def test_views_that_change_the_label_are_refused(configure, tree):
    with pytest.raises(UserError, match="tta must be none or shift"):
        predict(configure(f"images={tree}", "tta=flip"))


def test_predict_as_a_command(command, checkpoint, tmp_path):
    (tmp_path / "my photos").mkdir()
    for name in ("a.png", "._a.png"):
        (tmp_path / "my photos" / name).write_bytes((DRAWINGS / "seven.png").read_bytes())
    (tmp_path / "my photos" / "b.png").touch()
    home = {"HOME": str(tmp_path)}
    done = command("src/predict.py", f"checkpoint={checkpoint}", "images=[~/my photos/*.png]", "top=1", **home)
    assert done.returncode == 1
    assert "1 hidden or system, such as" in done.stdout
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: 1 of 2 images cannot be read, such as ")
    missing = command("src/predict.py", f"checkpoint={checkpoint}", "images=~/no.png", **home)
    assert missing.stderr == f"error: images: there is no file or folder {tmp_path}/no.png\n"


def test_the_commands_of_the_page_compose():
    page = (REPOSITORY / "docs" / "predict.md").read_text()
    commands = [shlex.split(line) for line in page.splitlines() if line.startswith("python src/")]
    assert len(commands) == 3
    for _, script, *arguments in commands:
        compose(Path(script).stem, arguments)


@pytest.mark.realdata
def test_the_mnist_test_images_as_png_have_the_accuracy_of_evaluation(real_root, tmp_path):
    dataset = cache.load("mnist", real_root, download=False)
    write_classes(tmp_path / "mnist", dataset.test.images, dataset.test.labels, dataset.classes)
    checkpoint = REPOSITORY / "src/cnnlab/pretrained/lenet5-mnist.safetensors"
    assert_equal_to_evaluation(checkpoint, tmp_path / "mnist", real_root, tmp_path)


@pytest.mark.realdata
def test_the_jpeg_tree_of_cifar10_has_the_accuracy_of_evaluation(real_root, tmp_path):
    tree = real_root / "cifar10" / "test"
    if not tree.is_dir():
        pytest.skip(f"CIFAR-10 is not a tree of images under {real_root}")
    overrides = ["model=cnn", "data=cifar10", "trainer.max_steps=60", "test=false", "logger=none"]
    train(compose("train", [*overrides, f"data.root={real_root}", f"log_dir={tmp_path / 'logs'}"]))
    assert_equal_to_evaluation(next(tmp_path.rglob("last.ckpt")), tree, real_root, tmp_path)


def assert_equal_to_evaluation(checkpoint: Path, tree: Path, root: Path, tmp_path: Path) -> None:
    output = tmp_path / "predictions.json"
    predict(
        compose(
            "predict",
            [f"checkpoint={checkpoint}", f"images={tree}", "format=json", f"output={output}", f"log_dir={tmp_path}"],
        )
    )
    found, expected = json.loads(output.read_text()), evaluated(checkpoint, root, tmp_path)
    assert int(torch.tensor(found["confusion"]).sum()) == 10_000
    assert found["accuracy"] == expected.accuracy
    assert found["confusion"] == expected.confusion.tolist()
