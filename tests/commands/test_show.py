"""`show`: facts, figures and TensorBoard's events of a dataset before training."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cnnlab.commands import show
from cnnlab.config.compose import compose
from cnnlab.data.originals import folder_content
from cnnlab.errors import UserError
from tests.conftest import write_tree

ALWAYS = ["augmented", "class_distribution", "class_means", "images", "pixel_values"]
NAMES = ["图片-猫", "Bücher und Zeitschriften aus dem letzten Jahrhundert", "cats & dogs"]


@pytest.fixture
def shown(places, capsys):
    """Runs `show` and returns what it prints."""

    def run(*overrides: str) -> str:
        show.run(compose("show", [*places, *overrides]))
        return capsys.readouterr().out

    return run


@pytest.fixture
def own(tmp_path) -> Path:
    root = tmp_path / "own"
    write_tree(root, NAMES, 8, (30, 20), "RGB")
    (root / NAMES[0] / "notes.txt").write_text("")
    return root


def figures_in(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.png"))


def events_in(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_the_facts_and_figures_of_a_dataset(shown, tmp_path):
    text = shown("images=20", "versions=2")
    assert "images   1,293 training, 144 validation, 360 test" in text
    assert "balance  from 125 training images (8) to 131 (3), 1.0 times as many" in text
    assert figures_in(tmp_path / "logs" / "show" / "digits") == ALWAYS


def test_tensorboard_has_the_figures_of_the_last_call_alone(shown, tmp_path):
    folder = tmp_path / "logs" / "show" / "digits"
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.of.a.run").write_text("")
    for _ in range(2):
        shown("images=2", "versions=1")
    assert len(list(folder.glob("events.out.tfevents.*"))) == 2
    (folder / "events.out.tfevents.of.a.run").unlink()
    assert events_in(folder).Tags()["images"] == [f"data/{name}" for name in (
        "images", "augmented", "class_distribution", "class_means", "pixel_values",
    )]  # fmt: skip


def test_own_images_also_have_sizes_and_files_that_are_not_read(shown, own, tmp_path):
    text = shown("data=image_folder", f"data.root={own}", "versions=1", f"figures={tmp_path / 'figures'}")
    assert "smallest  30 x 20 pixels: " in text
    assert "enlarged  24 images that are smaller than 64 pixels" in text
    assert "left out  1 file (1 .txt), such as 图片-猫/notes.txt" in text
    assert figures_in(tmp_path / "figures") == sorted([*ALWAYS, "extremes", "image_sizes"])


def test_what_is_left_out_is_also_reported_when_the_images_are_cached(shown, own):
    arguments = ("data=image_folder", f"data.root={own}", "versions=1", "images=1")
    shown(*arguments)
    assert "left out  1 file (1 .txt)" in shown(*arguments)


@pytest.mark.parametrize("augment", ["none", "alternating_flip", "cutmix", "trivial"])
def test_every_kind_of_augmentation_can_be_shown(shown, augment, small_datasets):
    text = shown("data=cifar10", f"augment={augment}", f"data.root={small_datasets}", "images=10", "versions=2")
    assert "augmented.png" in text


def test_the_facts_fit_80_columns(shown, small_datasets):
    text = shown("data=cifar100", f"data.root={small_datasets}", "images=1", "versions=1")
    facts = text.partition("\n\n")[0].splitlines()
    assert max(len(line) for line in facts if not line.startswith("data")) <= 80
    assert facts[-1].startswith("augment")


def test_a_mistake_in_the_augmentation_is_reported_before_the_images_are_read(shown):
    with pytest.raises(UserError, match=r"augment\.crop\.padding must be a number"):
        shown("data=image_folder", "data.root=nowhere", "augment=crop_flip", "augment.crop.padding=-1.0")


def test_a_folder_that_cannot_be_written_is_one_line(shown, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"figures=.* cannot be written: Not a directory"):
        shown(f"figures={tmp_path / 'file' / 'figures'}")


def test_a_file_with_damaged_pixels_is_not_among_the_smallest(own):
    damaged = own / NAMES[0] / "0000.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    originals = folder_content(own).originals
    assert str(damaged) in [original.path for original in originals]
    assert len(list(show._readable(originals))) == len(originals) - 1
