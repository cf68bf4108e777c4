"""What a run prints when it ends."""

import pytest
import torch

from cnnlab.runs import summary
from cnnlab.runs.predictions import Predictions
from cnnlab.runs.run import train


@pytest.mark.parametrize(
    ("few", "note"),
    [
        (200, "2 steps are too few for this recipe; raise trainer.max_epochs, or lower data.batch_size"),
        (2, "try a smaller optimizer.lr, or trainer.gradient_clip_val=1"),
    ],
)
def test_a_run_at_chance_says_so(few, note, configure, capsys, monkeypatch):
    monkeypatch.setattr(summary, "FEW_STEPS", few)
    train(configure("trainer.max_steps=2", "optimizer.lr=0"))
    assert f"note: the network is no better than chance: {note}\n" in capsys.readouterr().out


def test_a_run_above_chance_does_not(configure, capsys):
    train(configure("trainer.max_epochs=2"))
    assert "note:" not in capsys.readouterr().out


@pytest.mark.parametrize(("correct", "is_chance"), [(30, True), (54, True), (55, False), (100, False)])
def test_chance_is_the_largest_class_and_three_standard_errors(correct, is_chance):
    labels = torch.tensor([0] * 30 + [1] * 30 + [2] * 40)
    predicted = torch.cat((labels[:correct], (labels[correct:] + 1) % 3))
    assert Predictions("test", torch.arange(100), labels, predicted, torch.zeros(100, 3)).is_chance is is_chance
