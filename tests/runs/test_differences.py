"""The names of run folders: what differs from the defaults, as people look for it."""

import re

import pytest

from cnnlab.config.compose import compose
from cnnlab.runs.complete import folder_of
from cnnlab.runs.differences import LONGEST, differences, joined, part
from cnnlab.runs.folder import RunFolder
from cnnlab.runs.run import train
from tests.runs.test_run import QUICK


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ("", ""),
        ("seed=0 trainer=cpu logger=none data.root=x fresh=true", ""),  # what the run id does not hash
        ("model=resnet18 data=mnist seed=2", "seed=2"),  # the name says the rest
        ("optimizer=adamw optimizer.lr=0.1 trainer.max_epochs=5", "adamw,lr=0.1,epochs=5"),
        ("data.epochs=7", "epochs=7"),
        ("trainer=smoke test=false", "smoke"),
        ("augment=none callbacks=[early_stopping,averaging]", "augment=none,early_stopping+averaging"),
        ("experiment=cifar10_fast experiment/without=whitening seed=3", "without=whitening,seed=3"),
        ("experiment=lenet5_mnist model=mlp", "mlp"),
        ("name=mine model=mlp model.hidden=[8,8]", "mlp,hidden=8+8"),
        ("optimizer=adamw optimizer.lr=0.01 optimizer.weight_decay=0.05 trainer.max_epochs=5 loss=focal seed=12",
         "adamw,lr=0.01,seed=12,+3"),
    ],
)  # fmt: skip
def test_a_folder_is_named_for_what_differs(overrides, expected):
    assert differences(compose("train", overrides.split())) == expected


@pytest.mark.parametrize("value", ["x" * 60, "a/b\\c:d*e?f", "über 网"])
def test_a_name_is_short_and_safe_on_every_system(value):
    text = joined({"model.kind": part("model.kind", value), "seed": "seed=1"})
    assert re.fullmatch(rf"[A-Za-z0-9._=+,-]{{1,{LONGEST}}}", text)


def test_the_same_run_keeps_its_folder_whatever_its_name(configure, capsys):
    """Folders of older versions have no differences in their names."""
    cfg = configure(*QUICK, "test=false")
    untested = train(cfg)
    folder = folder_of(cfg, untested["data"]["fingerprint"]).path
    assert folder.name == f"epochs=2,limit=128-{untested['run_id']}"
    older = folder.rename(folder.with_name(untested["run_id"]))
    assert train(cfg) == untested
    tested = train(configure(*QUICK))
    assert RunFolder(older).read() == tested
    assert list(older.parent.iterdir()) == [older]
