"""Every optimizer trains in every precision that a CPU supports, with and without gradient clipping."""

import pytest
import torch

from cnnlab.config.folders import CONF
from cnnlab.runs.checkpoint import read_checkpoint
from cnnlab.runs.run import train
from tests.runs.test_run import folder_of

TINY = ("model=cnn", "model.blocks=1", "model.width=4", "data.limit=32", "data.batch_size=16", "trainer.max_steps=2")
QUICK = ("trainer.max_epochs=1", "logger=none", "test=false")
OPTIMIZERS = sorted(path.stem for path in (CONF / "optimizer").glob("*.yaml"))


@pytest.mark.parametrize("clip", ["null", "1.0"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_trains_for_two_steps(optimizer, precision, clip, configure):
    arguments = (f"optimizer={optimizer}", f"trainer.precision={precision}", f"trainer.gradient_clip_val={clip}")
    record = train(configure(*TINY, *QUICK, *arguments))
    assert (record["status"], record["steps"], record["precision"]) == ("done", 2, precision)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_clipped_step_has_the_clipping_norm(precision, configure):
    """The update of plain SGD with a learning rate of 1 has the norm of the gradient."""
    plain = (
        "optimizer=sgd",
        "optimizer.lr=1",
        "optimizer.momentum=0",
        "optimizer.nesterov=false",
        "scheduler=constant",
    )
    one_step = ("optimizer.weight_decay=0", "trainer.max_steps=1", f"trainer.precision={precision}")

    def weights(*overrides: str) -> torch.Tensor:
        cfg = configure(*TINY, *QUICK, *plain, *one_step, *overrides)
        state = read_checkpoint(folder_of(cfg, train(cfg)) / "checkpoints" / "last.ckpt")["state_dict"]
        weights = [value.flatten() for name, value in state.items() if "running" not in name and "num" not in name]
        return torch.cat(weights)

    start = weights("optimizer.lr=0")
    assert (weights("trainer.gradient_clip_val=0.01") - start).norm().item() == pytest.approx(0.01, rel=0.01)
    assert (weights() - start).norm().item() > 0.1


def test_the_recipe_with_gradient_clipping_trains_in_bf16(configure):
    arguments = ("model=nin", "optimizer=sgd", "data.limit=8", "data.batch_size=8", "trainer.precision=bf16-mixed")
    cfg = configure(*arguments, *QUICK)
    assert cfg.trainer.gradient_clip_val == 1.0
    assert train(cfg)["status"] == "done"
