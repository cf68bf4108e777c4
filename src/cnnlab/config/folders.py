"""Where configuration files, data and runs are: in a clone of the repository, or with the installed package."""

import os
from collections.abc import Sequence
from pathlib import Path

from cnnlab.errors import UserError

PACKAGE = Path(__file__).resolve().parents[1]
CLONE = PACKAGE.parents[1]
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else CLONE / "conf"
SOURCE = CLONE if CONF.parent == CLONE else None  # where the commit of the running code is looked up
VARIABLE = "CNNLAB_CONF"  # more folders of configuration files, which processes pass on to those that they start


def conf_folders() -> list[Path]:
    """The folders in which choices are found, in order: ours, conf/local, and those that the user names."""
    named = [Path(folder) for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    return [folder for folder in (CONF, CONF / "local", *named) if folder.is_dir()]


def choices(group: str) -> list[str]:
    """The names of a group's choices; empty if there is no such group."""
    return sorted({path.stem for folder in conf_folders() for path in (folder / group).glob("*.yaml")})


def options(group: str) -> str:
    """The choices of a group in one line."""
    return ", ".join(choices(group))


def groups() -> list[str]:
    """The names of all groups, without Hydra's own."""
    names = {
        str(path.parent.relative_to(folder)).replace(os.sep, "/")
        for folder in conf_folders()
        for path in folder.rglob("*.yaml")
        if path.parent != folder
    }
    return sorted(name for name in names if name.partition("/")[0] not in ("hydra", "local"))


def add_conf_folders(arguments: Sequence[str]) -> list[str]:
    """`arguments` without `--config-dir FOLDER`, whose choices are then found by this process and those it starts.

    Raises:
        UserError: there is no such folder.
    """
    others, named, remaining = [], [], iter(arguments)
    for argument in remaining:
        flag, equals, value = argument.partition("=")
        if flag not in ("--config-dir", "-cd"):
            others.append(argument)
            continue
        folder = Path(value if equals else next(remaining, ""))
        if not folder.is_dir():
            raise UserError(f"--config-dir must be a folder with choices, as model/NAME.yaml, and {folder} is none")
        named.append(str(folder.resolve()))
    os.environ[VARIABLE] = os.pathsep.join(filter(None, [os.environ.get(VARIABLE), *named]))
    return others


def logs_root() -> str:
    """The default folder of all runs."""
    return _beside_the_clone("logs")


def data_root() -> str:
    """The default folder of the datasets."""
    return os.environ.get("CNNLAB_DATA") or _beside_the_clone("data")


def _beside_the_clone(name: str) -> str:
    """`name` in the clone's root for a command that starts inside the clone, else in the working directory."""
    here = Path.cwd()
    is_inside = SOURCE is not None and here.is_relative_to(CLONE)
    return os.path.relpath(CLONE / name) if is_inside else name
