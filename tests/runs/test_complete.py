"""A complete run is reported from its record, without reading the images or importing torch."""

import pytest

from cnnlab.runs.complete import report_if_complete
from cnnlab.runs.run import train
from tests.cli.test_main import light
from tests.conftest import write_tree


@pytest.fixture
def complete(tmp_path, configure):
    """The configuration of a complete run on a user's own images."""
    write_tree(tmp_path / "images", ["cat", "dog"], 12, (32, 32), "RGB")
    cfg = configure(
        "data=image_folder", f"data.root={tmp_path / 'images'}", "data.image_size=32", "data.batch_size=8",
        "trainer.max_epochs=1", "model=mlp", "logger=none",
    )  # fmt: skip
    train(cfg)
    return cfg


def test_a_complete_run_is_reported_from_its_record(complete, capsys):
    record = report_if_complete(complete)
    assert record is not None
    assert record["status"] == "done"
    assert "this run is already complete; use fresh=true to train it again" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["added", "removed", "changed", "cache removed"])
def test_a_run_on_other_images_is_not_reported(complete, change, tmp_path):
    cat, dog = (tmp_path / "images" / name / "0000.png" for name in ("cat", "dog"))
    if change == "added":
        (cat.parent / "new.png").write_bytes(cat.read_bytes())
    elif change == "removed":
        cat.unlink()
    elif change == "changed":
        cat.write_bytes(dog.read_bytes())
    else:
        for cache in (tmp_path / "images" / ".cnnlab").glob("*.pt"):
            cache.unlink()
    assert report_if_complete(complete) is None


def test_another_run_and_a_fresh_one_are_not_reported(complete):
    assert report_if_complete(complete.model_copy(update={"seed": 1})) is None
    assert report_if_complete(complete.model_copy(update={"fresh": True})) is None


def test_the_command_reports_a_complete_run_without_importing_torch(places, configure):
    train(configure("trainer=smoke", "logger=none"))
    done = light(*places, "trainer=smoke", "logger=none")
    assert done.stdout.startswith("this run is already complete")
    assert done.stdout.splitlines()[-1] == "HEAVY []"
    assert (done.returncode, done.stderr) == (0, "")
