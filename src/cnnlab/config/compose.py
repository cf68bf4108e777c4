"""How configuration files and overrides become the typed configuration of a command. Imports no torch."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, cast

import hydra
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf

from cnnlab.config.fields import defaults_of
from cnnlab.config.folders import CONF, conf_folders
from cnnlab.config.overrides import as_hydra_takes
from cnnlab.config.schema import COMMANDS
from cnnlab.config.sections import Logs
from cnnlab.config.trust import check_choice_files
from cnnlab.config.validation import validated


def compose(command: str, overrides: Sequence[str] = ()) -> Any:
    """The typed configuration with which `python src/<command>.py <overrides>` would run.

    A running command may compose others.

    Raises:
        UserError: a value cannot be used.
    """
    return typed(command, composed(command, overrides))


def composed(command: str, overrides: Sequence[str] = ()) -> DictConfig:
    """The configuration before it is resolved and checked, with Hydra's own part, which becomes HydraConfig."""
    cfg = _composed(command, overrides, with_hydra=True)
    HydraConfig.instance().set_config(cfg)
    return cfg


def compose_another(command: str, overrides: Sequence[str]) -> Any:
    """As `compose`, for comparison with the running command, to which `${hydra:...}` still refers."""
    return typed(command, _composed(command, overrides, with_hydra=False))


def _composed(command: str, overrides: Sequence[str], with_hydra: bool) -> DictConfig:
    prepare_hydra()
    running = GlobalHydra.instance().is_initialized()
    with nullcontext() if running else hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(command, as_hydra_takes(command, overrides), return_hydra_config=with_hydra)


def typed(command: str, cfg: DictConfig) -> Logs:
    """The typed configuration of a composed one, in which HydraConfig must be set."""
    return validated(command, resolved(cfg))


class ConfFolders(SearchPathPlugin):
    """Lets Hydra find the user's own choices; the first folder of choices is Hydra's primary one."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in conf_folders()[1:]:
            search_path.append("cnnlab", f"file://{folder.resolve()}")


def prepare_hydra() -> None:
    """Give Hydra the user's folders, and the schema's defaults of each command as `<command>_defaults`.

    Raises:
        UserError: a choice file sets what only the command line may set.
    """
    check_choice_files()
    Plugins.instance().register(ConfFolders)
    launchers = ConfigStore.instance().repo.get("hydra", {}).get("launcher", {})
    for file in (CONF / "hydra" / "launcher").glob("*.yaml"):
        launchers.pop(file.name, None)  # a plugin's schema of the same name, which would refuse our keys
    for command, schema in COMMANDS.items():
        ConfigStore.instance().store(f"{command}_defaults", OmegaConf.create(defaults_of(schema)), provider="cnnlab")


def resolved(cfg: DictConfig, throw_on_missing: bool = True) -> dict[str, Any]:
    """`cfg` as plain values with interpolations resolved, without Hydra's own part."""
    own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    return cast("dict[str, Any]", OmegaConf.to_container(own, resolve=True, throw_on_missing=throw_on_missing))
