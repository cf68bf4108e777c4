"""From any mistake on the command line to one clear line. Imports Hydra and nothing heavier."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from cnnlab.config.compose import composed
from cnnlab.config.fields import section_of
from cnnlab.config.folders import choices, groups, options
from cnnlab.config.schema import COMMANDS
from cnnlab.config.signatures import signature_of, unknown_argument
from cnnlab.config.validation import OPEN, field_at, unknown_key
from cnnlab.errors import UserError

LAUNCHERS = "joblib, ray, submitit_local and submitit_slurm"
COMBINED = ("callbacks", "logger")  # groups with several choices in one run


FLAGS = ("--cfg", "-c", "--package", "-p", "--config-name", "-cn", "--config-path", "-cp", "--info", "-i")


def program(command: str) -> str:
    """How `command` is called here: by its script in src/, or as a subcommand of `cnnlab`."""
    called = Path(sys.argv[0])
    is_script = called.suffix == ".py" and called.stem in COMMANDS
    return f"python {called.with_name(f'{command}.py')}" if is_script else f"cnnlab {command}"


def check_overrides(arguments: Sequence[str]) -> None:
    """Raise UserError for what Hydra would misread: several values without -m, and lists of a group's choices.

    `model=[a,b]` would merge the arguments of two networks into one.
    """
    is_sweep = "-m" in arguments or "--multirun" in arguments
    known = groups()
    for argument in arguments:
        if argument.startswith("~"):
            _check_removal(argument[1:].partition("=")[0], known)
    for override in _parsed(arguments):
        line = str(override.input_line)
        group, value = override.key_or_group, line.partition("=")[2]
        if value.startswith("interval(") or line.startswith("hydra/sweeper=optuna"):
            raise UserError(f"a range of values is for a search: {program('tune')} search=CHOICE; {_searches()}")
        if override.is_sweep_override() and not is_sweep:
            raise UserError(f"several values need a sweep: -m {line}")
        if group not in known or (group in COMBINED and value.startswith("[")):
            continue
        if value.startswith("["):
            names = value.strip("[]").replace(" ", "")
            raise UserError(f"{group} takes one choice, got {value}; to run each of them: -m {group}={names}")
        if re.fullmatch(r"null|true|false|[-+.\d]+", value, re.IGNORECASE):
            raise UserError(f"{group} must be one of: {options(group)}; got {value}")


def _searches() -> str:
    return f"search is one of: {options('search')}"


def _check_removal(key: str, known: Sequence[str]) -> None:
    """Only arguments of an open group, and optional groups, can be removed with ~."""
    if key in known and key not in ("experiment", "recipe", "search"):
        raise UserError(f"{key} cannot be removed; choose one of: {options(key)}")
    if key not in known and key.partition(".")[0] not in OPEN:
        raise UserError(f"{key} cannot be removed; set another value: {key}=VALUE")


def _parsed(arguments: Sequence[str]) -> list[Override]:
    """The overrides among `arguments`, without flags and their values.

    Raises:
        UserError: an argument is not an override.
    """
    parser, parsed = OverridesParser.create(), []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if argument.startswith(("-", "~")) or before in FLAGS:
            continue
        key, equals, value = argument.partition("=")
        if not key.lstrip("+") or not equals:
            raise UserError(f"arguments are GROUP=CHOICE or KEY=VALUE, got {argument!r}")
        try:
            parsed += parser.parse_overrides([argument])
        except HydraException:
            text = value.replace("'", "")
            raise UserError(f"{argument!r} cannot be read; quote the value: \"{key}='{text}'\"") from None
    return parsed


def explain(error: Exception, command: str = "", arguments: Sequence[str] = ()) -> str:
    """One message for an error of the user, of Hydra or of OmegaConf."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        return _unknown_choice(group, choice)
    if isinstance(error, HydraException) and isinstance(error.__cause__, ConfigKeyError | ConfigAttributeError):
        return _unknown_key(str(error.__cause__.full_key), command, arguments)
    if isinstance(error, HydraException) and (other := re.match(r"Could not override '(\w+)'", str(error))):
        return unknown_key(other[1], COMMANDS[command])  # a group of another command
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} must be given: {error.full_key}=VALUE"
    if isinstance(error, OmegaConfBaseException):
        reason = re.sub(r'^\w+ raised while resolving interpolation: |"', "", str(error).splitlines()[0])
        return f"{error.full_key}: {reason}" if error.full_key else reason
    return " ".join(str(error).partition("\nSet the environment variable")[0].split("\n")).strip()


def summary(error: Exception) -> str:
    """One line for the table of a sweep."""
    known = isinstance(error, UserError | OmegaConfBaseException)
    return explain(error) if known else f"{type(error).__name__}: {error}"


def _unknown_choice(group: str, choice: str) -> str:
    if group == "hydra/launcher":
        return f"unknown choice {group}={choice}; {LAUNCHERS} need: pip install -e '.[sweep]'"
    if not choices(group):
        return f"unknown choice {group}={choice}: there is no such group"
    return f"unknown choice {group}={choice}; {group} is one of: {options(group)}"


def _unknown_key(key: str, command: str, arguments: Sequence[str]) -> str:
    """The message for a key that the composed configuration lacks."""
    group = key.rpartition(".")[0]
    if group.partition(".")[0] in OPEN:
        return _unknown_argument(key, command, arguments)
    field = field_at(command, group) if group else None
    if group and field is not None and section_of(field) is None:
        return f"unknown key {key}; {group} is a single value"
    if field_at(command, key) is not None:  # of a callback or logger that is not chosen
        parent, _, choice = group.rpartition(".")
        return f"{key} is for {parent}=[{choice}], which is not chosen"
    return unknown_key(key, section_of(field) if field is not None else None if group else COMMANDS[command])


def _unknown_argument(key: str, command: str, arguments: Sequence[str]) -> str:
    """The message for an argument that an open group does not have, though its target may accept it."""
    group, _, last = key.rpartition(".")
    chosen = [argument for argument in arguments if argument.partition("=")[0] in groups()]
    try:
        node = composed(command, chosen)
        for part in group.split("."):
            node = node[part]
        signature = signature_of(str(node["_target_"]))
    except (HydraException, OmegaConfBaseException, KeyError, TypeError):
        signature = None
    if signature is None:
        return f"unknown key {key}"
    if last in signature.annotations:
        return f"{key} is not set by this choice of {group}; add it with a plus sign: +{key}=VALUE"
    return unknown_argument(group, last, signature)
