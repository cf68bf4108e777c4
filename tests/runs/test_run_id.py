"""The run id: which settings make another run, and which do not."""

import pytest
import torch

from cnnlab.config.compose import compose
from cnnlab.runs.run_id import run_id


def identity(*overrides: str) -> str:
    return run_id(compose("train", list(overrides)), fingerprint="abc")


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "model=mlp",
        "data.limit=50",
        "optimizer.lr=0.1",
        "loss=mse",
        "trainer.max_epochs=2",
        "augment=mixup",
        "trainer.limit_eval_batches=1",
        "tta=shift",
        "param_groups.bias_lr_factor=2",
    ],
)
def test_everything_that_can_change_the_weights_is_hashed(override):
    assert identity(override) != identity()


@pytest.mark.parametrize(
    "override", ["data.root=elsewhere", "logger=none", "fresh=true", "retry=true", "log_dir=x", "data.download=false"]
)
def test_nothing_else_is_hashed(override):
    assert identity(override) == identity()


def test_the_images_are_part_of_the_run_id():
    cfg = compose("train", [])
    assert run_id(cfg, "these images") != run_id(cfg, "other images")


@pytest.mark.parametrize("key", ["precision=bf16-mixed", "threads=2"])
def test_explicit_precision_and_threads_are_part_of_the_run_id(key):
    assert identity(f"trainer.{key}") != identity()


def test_auto_gives_the_same_run_id_on_every_machine(monkeypatch):
    expected = identity()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert identity() == expected


def test_several_processes_make_another_run_however_they_are_distributed():
    assert identity("trainer.sync_batchnorm=true") == identity("trainer.devices=1") == identity()
    assert identity("trainer.devices=4") == identity("trainer.devices=2", "trainer.num_nodes=2") != identity()
    assert identity("trainer.devices=2") != identity("trainer.devices=2", "trainer.sync_batchnorm=true")
