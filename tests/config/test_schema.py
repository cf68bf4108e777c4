"""The schema: every key refuses wrong values in one line, and says whether it can change the weights."""

import copy
import math
import re
import subprocess
import sys
from functools import cache
from typing import get_args

import pytest

from cnnlab.cli.help import keys_of
from cnnlab.config.compose import composed, resolved
from cnnlab.config.fields import Section, changes_weights, in_words, section_of
from cnnlab.config.schema import COMMANDS
from cnnlab.config.sections import DatasetName
from cnnlab.config.validation import field_at, validated
from cnnlab.data.specs import SPECS
from cnnlab.errors import UserError
from tests.conftest import REPOSITORY

REQUIRED = {
    **{command: ["checkpoint=x"] for command in ("eval", "explain", "explore", "export")},
    "predict": ["checkpoint=x", "images=y"],
    "lab": ["lab=edges"],
    "tune": ["search=sgd"],
}
CHOSEN = ["callbacks=[early_stopping,averaging,gradient_norms]"]  # whose keys exist only if they are chosen
KEYS = [
    (command, key)
    for command, schema in COMMANDS.items()
    for key, _ in keys_of(schema)
    if key != "search"  # any mapping, which search/space.py checks
]
# No key takes any of these: no number that is not finite, no list of lists, no mapping with such a key.
WRONG = {"not a number": math.nan, "a list of lists": [[1]], "a mapping": {"no such key": [[1]]}}


@cache
def content_of(command: str) -> dict:
    chosen = CHOSEN if "callbacks" in COMMANDS[command].model_fields else []
    return resolved(composed(command, [*REQUIRED.get(command, []), *chosen]))


def with_value(command: str, key: str, value: object) -> dict:
    """The default configuration of `command` with one value replaced."""
    content = copy.deepcopy(content_of(command))
    node, (*parents, last) = content, key.split(".")
    for part in parents:
        node[part] = node[part] if isinstance(node[part], dict) else {}
        node = node[part]
    node[last] = value
    return content


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("command", "key"), KEYS)
def test_every_key_refuses_wrong_values_in_one_line_that_names_it(command, key, wrong):
    with pytest.raises(UserError) as error:
        validated(command, with_value(command, key, WRONG[wrong]))
    message = str(error.value)
    assert key in message
    assert "\n" not in message
    assert re.search(r"must (be|name)|unknown key", message)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_default_configuration_is_valid_and_typed(command):
    cfg = validated(command, content_of(command))
    assert type(cfg) is COMMANDS[command]
    assert cfg.log_dir == "logs"


@pytest.mark.parametrize(("command", "key"), KEYS)
def test_every_key_has_a_meaning_and_says_whether_it_changes_the_weights(command, key):
    field = field_at(command, key)
    assert field is not None
    assert field.description
    assert isinstance(changes_weights(field), bool)
    assert in_words(field.annotation, field.metadata) != "settings" or section_of(field)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seed", -1, "seed must be a whole number from 0 to 4294967295, got -1"),
        ("test", "yes", "test must be true or false, got 'yes'"),
        ("data.val_size", 1.0, "data.val_size must be a whole number of at least 0 or a fraction below 1, got 1.0"),
        ("data.root", None, "data.root must be a path, got null"),
        ("data.image_size", 100_000, "data.image_size must be null or a whole number from 1 to 4096, got 100000"),
        ("trainer.threads", 10**6, "trainer.threads must be auto or a whole number from 1 to 1024, got 1000000"),
        ("callbacks.averaging", 5, "callbacks.averaging must be null or settings, got 5"),
        ("augment.crop", 5, "augment.crop must be null or settings with a _target_, got 5"),
        ("name", "../x", "name must be a folder's name of at most 100 characters, without / \\ : * ? \" < > |, got"),
        ("monitor", "test/acc", "monitor must be one of ['val/acc', 'val/loss', 'train/acc', 'train/loss'], got"),
        ("trainer.max_epoch", 3, "unknown key trainer.max_epoch; trainer has: max_epochs, "),
        ("foo", 1, "unknown key foo; there are: "),
        ("optimizer.lr", -0.1, "optimizer.lr must be a number of at least 0, got -0.1"),
    ],
)
def test_a_wrong_value_is_reported_with_what_is_allowed(key, value, message):
    with pytest.raises(UserError) as error:
        validated("train", with_value("train", key, value))
    assert str(error.value).startswith(message)


def test_a_whole_number_is_a_number():
    cfg = validated("train", with_value("train", "param_groups.bias_lr_factor", 2))
    assert repr(cfg.param_groups.bias_lr_factor) == "2.0"
    with_int = validated("train", with_value("train", "optimizer.lr", 1))
    assert repr(with_int.optimizer["lr"]) == "1.0"


def test_a_configuration_cannot_be_changed_after_it_was_checked():
    cfg = validated("train", content_of("train"))
    with pytest.raises(ValueError, match="frozen"):
        cfg.seed = 1


def test_the_datasets_of_the_schema_are_those_of_the_data_package():
    assert get_args(DatasetName) == tuple(SPECS)


def test_sections_refuse_unknown_keys_strings_as_numbers_and_nan():
    class Two(Section):
        number: float

    for wrong in ({"number": "1"}, {"number": math.inf}, {"number": 1.0, "other": 2}):
        with pytest.raises(ValueError, match="validation error"):
            Two.model_validate(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("key", [key for command, key in KEYS if command == "train"])
def test_a_command_with_a_wrong_value_ends_with_one_line_and_writes_nothing(key, tmp_path):
    done = subprocess.run(
        [sys.executable, REPOSITORY / "src" / "train.py", f"++{key}=[[1]]"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
