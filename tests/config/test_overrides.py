"""Paths, names and lists mean what people type, whatever Hydra's grammar says of them."""

import os
from pathlib import Path

import pytest

from cnnlab.cli.messages import check_overrides
from cnnlab.config.compose import compose
from cnnlab.config.overrides import as_hydra_takes, as_typed
from cnnlab.errors import UserError

TEXTS = [
    "photos/Bücher", "图片", "archive (1)", "cats & dogs", "a=b", "it's", 'say "x"', "back\\slash", "ends\\", "a,b",
    "2026_11_25", "1e3", "007", "true", "epoch=3-step=99.ckpt", "#5", "100%", "a: b", "{x}", "a;b|c", "-x", "x'y\"z\\'",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_path_is_taken_as_typed(text):
    assert compose("train", [f"data.root={text}"]).data.root == text


@pytest.mark.parametrize("text", ["2026_11_25", "5", "图片", "a, b", "true"])
def test_a_name_is_taken_as_typed(text):
    assert compose("train", [f"name={text}"]).name == text


def test_home_and_variables_are_expanded(monkeypatch):
    monkeypatch.setenv("PICTURES", "/mnt/pictures")
    assert compose("train", ["data.root=~/pictures"]).data.root == str(Path.home() / "pictures")
    assert compose("train", ["data.root=$PICTURES/cats"]).data.root == "/mnt/pictures/cats"
    assert compose("train", ["data.root=$HOME"]).data.root == os.environ["HOME"]


def test_quotes_and_references_to_other_keys_are_left_to_hydra():
    assert compose("train", ["data.root='a b'"]).data.root == "a b"
    assert compose("train", ["data.root=${log_dir}/x", "log_dir=y"]).data.root == "y/x"
    assert compose("train", ["data.mirror=null"]).data.mirror is None


def test_lists_need_no_brackets():
    assert compose("report", ["group_by=model,optimizer.lr"]).group_by == ["model", "optimizer.lr"]
    assert compose("report", ["group_by=[model,optimizer.lr]"]).group_by == ["model", "optimizer.lr"]
    assert compose("analyze", ["models=vgg16,resnet18"]).models == ["vgg16", "resnet18"]
    assert compose("analyze", ["models=all"]).models == ["all"]
    assert compose("report", ["where=model=resnet18 test/acc>0.9"]).where == ["model=resnet18 test/acc>0.9"]


def test_what_stands_in_brackets_needs_no_quotes():
    typed = "images=[~/cats & dogs/*.png, a=b (1).jpg,'x,y.png',Füße.png]"
    images = compose("predict", ["checkpoint=x", typed]).images
    assert images == [f"{Path.home()}/cats & dogs/*.png", "a=b (1).jpg", "x,y.png", "Füße.png"]
    assert compose("eval", ["checkpoint=[~/a b.ckpt,latest]"]).checkpoint == [f"{Path.home()}/a b.ckpt", "latest"]


def test_two_checkpoints_are_compared_and_not_three():
    with pytest.raises(UserError, match=r"checkpoint must be a path or two paths in brackets, as \[FIRST,SECOND\]"):
        compose("eval", ["checkpoint=[a,b,c]"])


@pytest.mark.parametrize("text", TEXTS)
def test_records_have_what_was_typed_and_it_means_the_same(text):
    taken = as_hydra_takes("train", [f"data.root={text}"])
    typed = as_typed(taken)
    assert compose("train", typed).data.root == text
    assert typed == [f"data.root={text}"] or "'" in text or "\\" in text


def test_quotes_of_other_keys_are_left_as_they_are():
    assert as_typed(["model.stem='auto'", "seed=1"]) == ["model.stem='auto'", "seed=1"]


def test_with_m_a_comma_separates_jobs():
    assert as_hydra_takes("train", ["-m", "data.root=a b,c"]) == ["-m", "data.root='a b','c'"]


def test_a_removed_callback_or_logger_means_none():
    assert as_hydra_takes("train", ["~logger", "~callbacks"]) == ["logger=none", "callbacks=none"]
    assert compose("train", ["~logger"]).logger.tensorboard is None


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("~optimizer", "optimizer cannot be removed; choose one of: adam, "),
        ("~seed", "seed cannot be removed; set another value: seed=VALUE"),
        ("optimizer.lr=interval(0,1)", "a range of values is for a search: .*tune"),
        ("hydra/sweeper=optuna", "a range of values is for a search: .*tune"),
        ("model", "arguments are GROUP=CHOICE or KEY=VALUE, got 'model'"),
        ("=3", "arguments are GROUP=CHOICE or KEY=VALUE, got '=3'"),
        ("data=[mnist", r"'data=\[mnist' cannot be read; quote the value: \"data='\[mnist'\""),
    ],
)
def test_what_hydra_would_misread_is_refused(argument, message):
    with pytest.raises(UserError, match=f"^{message}"):
        check_overrides([argument])


def test_flags_of_hydra_keep_their_values():
    check_overrides(["--cfg", "job", "-m", "seed=0,1", "~augment.flip"])
