"""Search spaces: those of conf/, and mistakes in one."""

import itertools

import pytest
from hydra.core.hydra_config import HydraConfig

from cnnlab.config.compose import compose
from cnnlab.config.folders import CONF
from cnnlab.errors import UserError
from cnnlab.search.space import Choices, Range, read_space, study_keys

SPACES = sorted(path.stem for path in (CONF / "search").glob("*.yaml"))
OVERRIDES = {"architecture": ["model=cnn"], "sgd": ["model=resnet18", "data=cifar10"], "adamw": ["optimizer=adamw"]}


def space_of(*overrides: str):
    cfg = compose("tune", list(overrides))
    return read_space(cfg.search, cfg, HydraConfig.get().runtime.choices)


@pytest.mark.parametrize("name", SPACES)
def test_every_space_of_conf_contains_its_defaults_and_gives_valid_command_lines(name):
    space, defaults = space_of(f"search={name}", *OVERRIDES.get(name, []))
    assert all(dimension.inside(defaults[key]) is not None for key, dimension in space.items())
    ends = [
        [dimension.shown(dimension.low), dimension.shown(dimension.high)]
        if isinstance(dimension, Range)
        else dimension.values
        for dimension in space.values()
    ]
    for values in itertools.zip_longest(*ends, fillvalue=None):
        typed = [f"{key}={value}" for key, value in zip(space, values, strict=True) if value is not None]
        compose("train", [*OVERRIDES.get(name, []), *typed])


def test_the_configuration_of_a_search_is_that_of_training_with_its_own_keys():
    tune = compose("tune", ["search=sgd", "model=resnet18", "data=cifar10"]).model_dump()
    train = compose("train", ["model=resnet18", "data=cifar10"]).model_dump()
    assert {key: tune[key] for key in train} == train
    assert set(tune) - set(train) == study_keys()


def test_values_are_formatted_for_the_command_line():
    space, defaults = space_of("search=adamw", "optimizer=adamw", "+search.model.pooling.choices=[avg,max]")
    assert space["optimizer.betas"] == Choices(("[0.9,0.999]", "[0.9,0.99]", "[0.95,0.999]"))
    assert space["optimizer.betas"].inside(defaults["optimizer.betas"]) == "[0.9,0.999]"
    assert space["optimizer.lr"].shown(0.00123456) == "0.001235"
    assert space["model.pooling"].inside(defaults["model.pooling"]) == "avg"
    whole, _ = space_of("search=architecture", "model=cnn", "++search.model.batch_norm.choices=[true,null,0,1]")
    assert whole["model.width"].shown(32) == "32"
    assert whole["model.batch_norm"] == Choices(("true", "null", "0", "1"))


@pytest.mark.parametrize(
    ("dimension", "value", "is_inside"),
    [
        (Range(0.1, 1.0, log=True), 0.1, True),
        (Range(0.1, 1.0, log=True), 0.0, False),
        (Range(0.1, 1.0, log=True), None, False),
        (Range(0, 1, log=False), True, False),
        (Range(1, 4, log=False), 2, True),
        (Range(1, 4, log=False), 2.5, False),
        (Choices(("a", "true")), True, True),
        (Choices(("a", "true")), "b", False),
    ],
)
def test_a_value_is_inside_its_dimension_or_not(dimension, value, is_inside):
    assert (dimension.inside(value) is not None) == is_inside


MISTAKES = {
    "search=sgd": r"search.optimizer.momentum: unknown key; optimizer has: lr, betas, weight_decay, fused \(Adam\)",
    "search=adamw optimizer=sgd": "search.optimizer.betas: unknown key; optimizer has: .* nesterov",
    "search=architecture": "search.model.blocks: unknown key; model has: activation, pooling",
    "search=adamw +search.nothing.at.low=1 +search.nothing.at.high=2": "search.nothing.at: unknown key; no key nothing",
    "search=adamw search.optimizer.lr.low=0": "search.optimizer.lr must be .*above 0 with log: true.* got {'low': 0",
    "search=adamw search.optimizer.lr.low=1": "search.optimizer.lr must be .* low below high",
    "search=adamw search.optimizer.lr.high=big": "search.optimizer.lr must be .* numbers",
    "search=adamw search.optimizer.betas.choices=[]": "search.optimizer.betas must be .* a list, got {'choices': ",
    "search=adamw search.optimizer.lr=3": "search.optimizer.lr must be {low, high}, optionally with log, or {choices}",
    "search=adamw ~search.optimizer": "search must have at least one key, got none",
    "search=augmentation search.augment.choices=[none,blur]": "search.augment.choices must be one of .* got 'blur'",
    "search=augmentation monitor=val/loss": "loss.label_smoothing: a loss cannot be searched by monitor=val/loss",
    "search=adamw +search.seed.choices=[1,2]": "search.seed: this key changes what is measured",
    "search=adamw +search.data.val_size.choices=[10,20]": "search.data.val_size: this key changes what is measured",
    "search=adamw +search.data.root.choices=[a]": "search.data.root: this key does not change what a network learns",
    "search=adamw +search.trainer.choices=[auto,smoke]": "search.trainer: this key changes what is measured",
    "search=adamw +search.logger.choices=[none]": "search.logger: this key does not change what a network learns",
    "search=adamw +search.callbacks.gradient_norms.every.choices=[10]": "gradient_norms.every: this key does not",
    "search=adamw +search.trials.choices=[10,20]": "search.trials: this key does not change what a network learns",
    "search=adamw +search.pruner.choices=[none]": "search.pruner: this key does not change what a network learns",
    "search=adamw data.val_size=0": "a search needs validation images: data.val_size must be above 0, got 0",
    "search=adamw monitor=train/acc": "a search needs a validation metric: monitor must be val/acc or val/loss",
    "search=adamw monitor=test/acc": "monitor must be one of .* got 'test/acc'",
    "search=adamw trials=0": "trials must be a whole number of at least 1, got 0",
    "search=adamw pruner=best": r"pruner must be one of \['median', 'halving', 'none'\], got 'best'",
    "search=adamw heartbeat=0.5": "heartbeat must be a whole number of at least 1, got 0.5",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_is_reported_with_its_key(arguments):
    with pytest.raises(UserError, match=MISTAKES[arguments]):
        space_of(*arguments.split())
