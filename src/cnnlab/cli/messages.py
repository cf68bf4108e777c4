"""From any mistake on the command line to one clear line. Imports Hydra and nothing heavier."""

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from cnnlab.config.compose import CONF, compose, keys_of, options
from cnnlab.errors import UserError

LAUNCHERS = "joblib, ray, submitit_local and submitit_slurm"
COMBINED = ("callbacks", "logger")  # groups with several choices in one run


def check_overrides(arguments: Sequence[str]) -> None:
    """Raise UserError for what Hydra would misread: several values without -m, and lists of a group's choices.

    `model=[a,b]` would merge the arguments of two networks into one.
    """
    is_sweep = "-m" in arguments or "--multirun" in arguments
    for override in _parsed(arguments):
        line = str(override.input_line)
        if override.is_sweep_override() and not is_sweep:
            raise UserError(f"several values need a sweep: -m {line}")
        group, value = override.key_or_group, line.partition("=")[2]
        if not (CONF / group).is_dir() or (group in COMBINED and value.startswith("[")):
            continue
        if value.startswith("["):
            names = value.strip("[]").replace(" ", "")
            raise UserError(f"{group} takes one choice, got {value}; to run each of them: -m {group}={names}")
        if re.fullmatch(r"null|true|false|[-+.\d]+", value, re.IGNORECASE):
            raise UserError(f"{group} must be one of: {options(group)}; got {value}")


def _parsed(arguments: Sequence[str]) -> list[Override]:
    """The overrides among `arguments`; Hydra itself reports those that cannot be parsed."""
    parser, parsed = OverridesParser.create(), []
    for argument in arguments:
        if "=" in argument and not argument.startswith("-"):
            try:
                parsed += parser.parse_overrides([argument])
            except HydraException:
                continue
    return parsed


def explain(error: Exception, config_name: str = "", arguments: Sequence[str] = ()) -> str:
    """One message for an error of the user, of Hydra or of OmegaConf."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        return _unknown_choice(group, choice)
    if isinstance(error, HydraException) and isinstance(error.__cause__, ConfigKeyError | ConfigAttributeError):
        return _unknown_key(str(error.__cause__.full_key), config_name, arguments)
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} must be given: {error.full_key}=VALUE"
    return str(error).partition("\nSet the environment variable")[0].strip()


def summary(error: Exception) -> str:
    """One line for the table of a sweep."""
    known = isinstance(error, UserError | OmegaConfBaseException)
    return explain(error) if known else f"{type(error).__name__}: {error}"


def _unknown_choice(group: str, choice: str) -> str:
    if group == "hydra/launcher":
        return f"unknown choice {group}={choice}; {LAUNCHERS} need: pip install -e '.[sweep]'"
    if not (known := options(group)):
        return f"unknown choice {group}={choice}: there is no such group"
    return f"unknown choice {group}={choice}; {group} is one of: {known}"


def _unknown_key(key: str, config_name: str, arguments: Sequence[str]) -> str:
    choices = [argument for argument in arguments if (CONF / argument.partition("=")[0]).is_dir()]
    try:
        keys = keys_of(compose(config_name, choices), key)
    except (HydraException, OmegaConfBaseException):
        keys = []
    parent = key.rpartition(".")[0]
    where = f"{parent} has" if parent else "there are"
    return f"unknown key {key}; {where}: {', '.join(keys)}" if keys else f"unknown key {key}"
