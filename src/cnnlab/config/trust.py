"""What a choice file may say of Hydra itself: the values that a sweep takes, and nothing that runs.

Hydra would set the environment (`hydra.job.env_set`), make log handlers and import the classes of callbacks, launchers
and sweepers that any composed file names. An experiment may come from somebody else, so these are left to the command
line and to the files of the commands.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from cnnlab.config.folders import conf_folders
from cnnlab.errors import UserError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def check_choice_files() -> None:
    """Read all choice files.

    Raises:
        UserError: one of them sets more of Hydra than `hydra.sweeper.params`, or cannot be read.
    """
    for folder in conf_folders():
        for path in folder.glob("*/**/*.yaml"):
            if path.relative_to(folder).parts[0] != "hydra":
                _check(path)


def _check(path: Path) -> None:
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text, Loader=LOADER)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict | None):
        raise UserError(f"{path} must hold settings, got {type(content).__name__}")
    found = [line for line in text.splitlines() if line.startswith("#") and "@package" in line and "hydra" in line]
    found += _of_hydra(content or {})
    if found:
        raise UserError(
            f"{path}: a choice file may set hydra.sweeper.params only, got {found[0]!r}; type it on the command line"
        )


def _of_hydra(content: dict[str, Any]) -> Iterator[str]:
    """What a choice file sets of Hydra, other than the values of a sweep."""
    for entry in content.get("defaults") or ():
        if "hydra" in str(entry):
            yield f"defaults: {entry}"
    own = content.get("hydra")
    for key, value in own.items() if isinstance(own, dict) else [("", own)] if "hydra" in content else []:
        if key != "sweeper" or not isinstance(value, dict) or set(value) != {"params"}:
            yield f"hydra.{key}"
