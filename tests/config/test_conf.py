"""Every choice in conf/ composes, builds and runs."""

import re

import lightning as L
import pytest
import torch
import yaml
from omegaconf import OmegaConf
from pydantic import BaseModel

from cnnlab import models
from cnnlab.build.objects import build_classifier, build_datamodule
from cnnlab.config.compose import compose
from cnnlab.config.folders import CONF
from cnnlab.errors import UserError
from cnnlab.runs.run import train
from tests.conftest import root_of

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
DATA = sorted(path.stem for path in (CONF / "data").glob("*.yaml"))
OPTIMIZERS = sorted(path.stem for path in (CONF / "optimizer").glob("*.yaml"))
GROUPS = ("augment", "loss", "scheduler", "callbacks", "logger", "trainer")
CHOICES = {group: sorted(path.stem for path in (CONF / group).glob("*.yaml")) for group in GROUPS}
CHOICES["trainer"].remove("ddp")  # its processes do not see the small datasets; tests/runs/test_launch.py runs several
if not torch.cuda.is_available():
    CHOICES["trainer"].remove("gpu")
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
RECORD = ["Command", "Expected", "Cost"]  # in an experiment's header, after its paper or question
QUICK = {"cnn", "cnn_notes", "lenet5", "mlp"}  # the others are slow on a CPU
TIMED = [model if model in QUICK else pytest.param(model, marks=pytest.mark.slow) for model in MODELS]


def size_for(model: str, data: str = "") -> list[str]:
    """The override of the image size, for a network or a dataset that needs one."""
    sizes = {"nin_d2l": 67} | ({"image_folder": 32} if data == "image_folder" else {})
    size = sizes.get(model) or sizes.get(data)
    return [f"data.image_size={size}"] if size else []


def two_steps(cfg) -> L.Trainer:
    """Train for two steps, to a finite loss."""
    data = build_datamodule(cfg)
    model = build_classifier(cfg, data)
    trainer = L.Trainer(
        accelerator="cpu", devices=1, max_epochs=1, limit_train_batches=2, limit_val_batches=1, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(model, datamodule=data)
    assert trainer.global_step == 2
    assert torch.isfinite(trainer.callback_metrics["train/loss"])
    return trainer


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("model", TIMED)
def test_every_model_takes_two_steps_on_every_dataset(model, data, small_datasets):
    root = root_of(small_datasets, data)
    size = size_for(model, data)
    two_steps(
        compose(
            "train",
            [f"model={model}", f"data={data}", f"data.root={root}", "data.batch_size=4", "data.limit=12", *size],
        )
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", TIMED)
def test_every_model_takes_two_steps_with_every_optimizer(model, optimizer, data_root):
    arguments = [f"model={model}", f"optimizer={optimizer}", f"data.root={data_root}", "data.batch_size=4"]
    two_steps(compose("train", [*arguments, "data.limit=12", *size_for(model)]))


@pytest.mark.slow
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_the_full_product_takes_two_steps(model, optimizer, data, small_datasets):
    root = root_of(small_datasets, data)
    arguments = [f"model={model}", f"optimizer={optimizer}", f"data={data}", f"data.root={root}"]
    two_steps(compose("train", [*arguments, "data.batch_size=8", "data.limit=16", *size_for(model)]))


def combined_choices() -> list[list[str]]:
    """The fewest runs that cover all choices: run i takes choice i of each group, modulo the length of the group."""
    runs = max(map(len, CHOICES.values()))
    return [[f"{group}={choices[i % len(choices)]}" for group, choices in CHOICES.items()] for i in range(runs)]


@pytest.mark.parametrize("choices", combined_choices(), ids=" ".join)
def test_every_other_choice_completes_a_run(choices, small_datasets, tmp_path):
    places = [f"data.root={small_datasets}", f"log_dir={tmp_path}"]
    small = ["data.batch_size=8", "data.limit=20", "trainer.max_epochs=1", "data=cifar10"]
    # Images that grow need a network for any size.
    small += ["model=fastnet", "model.widths=[8,8,8]"] if "augment=growing_flip" in choices else ["model=lenet5"]
    cfg = compose("train", [*choices, *places, *small])
    record = train(cfg)
    assert record["status"] == "done"
    assert 0 <= record["test/acc"] <= 1


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_builds_adds_no_key_and_has_a_complete_header(experiment, small_datasets):
    text = (CONF / "experiment" / f"{experiment}.yaml").read_text()
    words = re.findall(r"^# (\w+): ", text, re.MULTILINE)
    assert words in (["Paper", *RECORD], ["Question", *RECORD])
    assert f"experiment={experiment}" in text
    cfg = compose("train", [f"experiment={experiment}"])
    plain = compose("train", [f"{key}={value}" for key, value in chosen(text).items()])
    assert keys(cfg) == keys(plain)
    small = [f"data.root={root_of(small_datasets, cfg.data.name)}", "data.limit=20", "data.batch_size=8"]
    small += ["data.val_size=0.1", "data.train_size=null"]
    cfg = compose("train", [f"experiment={experiment}", *small])
    build_classifier(cfg, build_datamodule(cfg))


def chosen(text: str) -> dict[str, str]:
    """The choices of groups in an experiment, and in the experiment that it extends."""
    own = dict(re.findall(r"override /(\w+): (\w+)", text))
    extended = re.search(r"^defaults:\n  - (\w+)$", text, re.MULTILINE)
    return (chosen((CONF / "experiment" / f"{extended[1]}.yaml").read_text()) if extended else {}) | own


def keys(node, prefix="") -> set[str]:
    if isinstance(node, BaseModel):
        node = node.model_dump()
    if not hasattr(node, "items"):
        return {prefix}
    return set().union(*(keys(value, f"{prefix}.{key}") for key, value in node.items()), {prefix})


PARTS = sorted(path.stem for path in (CONF / "experiment" / "without").glob("*.yaml"))


@pytest.mark.parametrize("part", PARTS)
def test_the_fast_recipe_without_a_part_differs_adds_no_key_and_builds(part, small_datasets):
    small = [f"data.root={small_datasets}", "data.limit=20", "data.batch_size=8"]
    complete = compose("train", ["experiment=cifar10_fast_ablation", *small])
    cfg = compose("train", ["experiment=cifar10_fast_ablation", f"experiment/without={part}", *small])
    assert (cfg == complete) is (part == "nothing")
    if part != "muon":  # SGD has other keys
        assert keys(cfg) - keys(complete) <= {".callbacks.averaging"}
    build_classifier(cfg, build_datamodule(cfg))


def test_the_ablation_removes_each_part_once():
    text = (CONF / "experiment" / "cifar10_fast_ablation.yaml").read_text()
    swept = re.search(r"experiment/without: ([\w,]+)", text)
    assert swept
    assert sorted(swept[1].split(",")) == PARTS


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONF)))
def test_every_choice_is_a_small_file(path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) <= {CONF: 55, CONF / "experiment": 20, CONF / "hydra" / "launcher": 26}.get(path.parent, 14)
    yaml.safe_load(path.read_text())


def test_every_recipe_belongs_to_a_model_and_an_optimizer():
    pairs = {f"{model}_{optimizer}" for model in MODELS for optimizer in OPTIMIZERS}
    older = {"fastnet_muon_8_epochs"}  # named by an experiment
    assert {path.stem for path in (CONF / "recipe").glob("*.yaml")} <= pairs | older


def test_every_model_names_an_exported_network():
    targets = {yaml.safe_load((CONF / "model" / f"{model}.yaml").read_text())["_target_"] for model in MODELS}
    assert targets <= {f"cnnlab.models.{name}" for name in models.__all__}


def test_the_defaults_match_the_documentation():
    resnet = compose("train", ["model=resnet18", "data=cifar10"])
    assert resnet.trainer.max_epochs == 15
    assert list(resnet.augment) == ["crop", "flip"]
    assert resnet.scheduler["_target_"].endswith("Cosine")
    assert compose("train", ["model=lenet5", "data=mnist"]).trainer.max_epochs == 10


def test_the_command_line_takes_precedence_over_the_defaults_of_model_and_data():
    cfg = compose("train", ["model=resnet18", "data=cifar10", "optimizer=adam", "augment=none", "optimizer.lr=3"])
    assert cfg.optimizer["_target_"] == "torch.optim.Adam"
    assert cfg.optimizer["lr"] == 3
    assert not cfg.augment


@pytest.mark.parametrize("choice", ["trainer.gradient_clip_val=1", "callbacks=gradient_norms"])
def test_options_that_need_unscaled_gradients_are_refused_with_a_fused_optimizer_in_float16(choice):
    overrides = ["trainer.precision=16-mixed", choice]
    with pytest.raises(UserError, match=r"optimizer.fused must be false for .*=16-mixed, got true"):
        compose("train", overrides)
    for possible in ("optimizer.fused=false", "trainer.precision=bf16-mixed", "optimizer=rmsprop"):
        compose("train", [*overrides, possible])


def test_callbacks_combine():
    cfg = compose("train", ["callbacks=[early_stopping,averaging]"])
    assert [name for name, value in cfg.callbacks if value is not None] == ["early_stopping", "averaging"]


def test_no_two_choices_of_a_group_have_the_same_content():
    for group in {path.parent for path in CONF.rglob("*.yaml")}:
        contents = [OmegaConf.to_yaml(OmegaConf.load(path)) for path in group.glob("*.yaml")]
        assert len(contents) == len(set(contents)), group


@pytest.mark.parametrize("override", ["+trainer.max_epoch=3", "+data.foo=1", "+callbacks.foo=1", "+logger.csv=1"])
def test_an_unknown_added_key_is_refused(override):
    with pytest.raises(UserError, match=r"unknown key \w+\.\w+; \w+ has: "):
        compose("train", [override])
