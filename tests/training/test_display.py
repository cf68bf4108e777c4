"""The progress of a run, in a terminal and in a pipe."""

import io

import pytest
from rich.console import Console

from cnnlab.build.objects import build_classifier, build_datamodule
from cnnlab.config.compose import compose
from cnnlab.rendering.numbers import duration, speed
from cnnlab.training.callbacks import Display, History
from cnnlab.training.callbacks.display import epoch_line
from tests.training.test_training import quick_trainer


def run_display(terminal: bool, data_root, tmp_path) -> tuple[str, list[str]]:
    """Train for two epochs; return the console output and the logged lines."""
    cfg = compose("train", [f"data.root={data_root}", "data.limit=320", "trainer.max_epochs=2"])
    module = build_datamodule(cfg)
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    history, lines = History(tmp_path / "metrics.csv"), []
    display = Display(history, lines.append, console)
    trainer = quick_trainer(max_epochs=2, enable_checkpointing=True, callbacks=[history, display])
    trainer.fit(build_classifier(cfg, module), datamodule=module)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue(), lines


def test_a_pipe_gets_one_line_per_epoch_and_no_progress_bar(data_root, tmp_path):
    output, lines = run_display(False, data_root, tmp_path)
    assert output == ""
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    for part in ("train loss", "val loss", "lr", "images/s", "left"):
        assert part in lines[0]


def test_a_terminal_gets_a_progress_bar_with_speed_and_remaining_time(data_root, tmp_path):
    output, lines = run_display(True, data_root, tmp_path)
    for part in ("epoch 1/2", "epoch 2/2", "loss", "images/s", "left", "10/10"):
        assert part in output
    assert len(lines) == 2


def test_the_line_of_an_epoch_omits_metrics_that_are_none():
    row = {"epoch": 3, "train/loss": 0.5, "train/acc": 0.9, "val/loss": None, "val/acc": None, "lr": 0.1}
    line = epoch_line(row | {"images_per_second": 1234.0}, epochs=10, remaining=75)
    assert line == "epoch  3/10  train loss 0.5000 acc  90.00 %  lr 1.00e-01    1,234 images/s  1 min 15 s left"


@pytest.mark.parametrize(("seconds", "text"), [(7.4, "7 s"), (185, "3 min 05 s"), (8040, "2 h 14 min")])
def test_duration_formats_seconds_minutes_and_hours(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(12345.6, "12,346"), (10.4, "10"), (9.87, "9.9"), (0.3149, "0.31")])
def test_low_speeds_have_two_significant_digits(value, text):
    assert speed(value) == text
