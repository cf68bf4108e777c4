"""The best trial against the default recipe on other seeds: the verdict follows from the numbers."""

import pytest

from cnnlab.config.schema import TuneConfig
from cnnlab.search.confirm import confirm

DEFAULT = {1: 0.90, 2: 0.92, 3: 0.94}


def verdict(best: dict[int, float], monitor: str = "val/acc", default: dict[int, float] | None = None):
    """The printed verdict for validation values by seed; the test values say the opposite and are not used."""

    def train(overrides):
        seed = int(overrides[-1].removeprefix("seed="))
        value = (best if "optimizer.lr=1" in overrides else default or DEFAULT)[seed]
        if value < 0:
            raise RuntimeError("out of luck")
        commands.append(overrides)
        return {monitor: value, "test/acc": 1 - value}

    commands: list[list[str]] = []
    cfg = TuneConfig.model_construct(seed=0, confirm_seeds=3, monitor=monitor)
    text, numbers = confirm(cfg, ["seed=0", "model=mlp", "optimizer.lr=1"], ["seed=0", "model=mlp"], train)
    assert all(words[0] == "model=mlp" and words[-1] != "seed=0" for words in commands)
    assert numbers["verdict"] == text.splitlines()[-1]
    return text


def test_a_better_trial_is_reported_with_its_gain_and_its_p_value():
    text = verdict({1: 0.93, 2: 0.94, 3: 0.97})
    assert "better than the default recipe by 2.67 points of val/acc on average; p of a paired t-test over 3" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["best", "94.67", "±", "2.08", "%", "5.33", "±", "2.08", "%", "3"] in rows
    assert ["default", "92.00", "±", "2.00", "%", "8.00", "±", "2.00", "%", "3"] in rows


@pytest.mark.parametrize(
    ("best", "text"),
    [
        ({1: 0.80, 2: 0.92, 3: 0.94}, "it is worse by 3.33 points of val/acc on average"),
        (DEFAULT, "the best trial is not better than the default recipe: it is equal"),
        ({1: -1, 2: 0.99, 3: 0.99}, "some runs failed, so the best trial is not confirmed to be better"),
    ],
)
def test_a_trial_that_is_not_better_is_reported(best, text):
    assert text in verdict(best)


def test_a_lower_loss_is_better():
    losses = {1: 0.5, 2: 0.5, 3: 0.5}
    assert "is better than the default recipe by 0.2000 of val/loss" in verdict(
        dict.fromkeys(losses, 0.3), "val/loss", losses
    )
    assert "it is worse by 0.2000 of val/loss" in verdict(dict.fromkeys(losses, 0.7), "val/loss", losses)
