"""Where the configuration is, how it is composed without a command line, and which keys it has. Imports no torch."""

import difflib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, ListConfig, OmegaConf

CONF = Path(__file__).resolve().parents[3] / "conf"


def compose(config_name: str, overrides: Sequence[str] = ()) -> DictConfig:
    """The configuration with which `python src/<config_name>.py <overrides>` would run.

    A running command may compose others.
    """
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    running = GlobalHydra.instance().is_initialized()
    with nullcontext() if running else hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose(config_name, quoted(overrides), return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    return plain(cfg)


def quoted(overrides: Sequence[str]) -> list[str]:
    """`overrides` with the conditions of `where=` in quotes, which Hydra's grammar needs around their operators."""
    marks = ("where='", 'where="', "where=[", "where=null")
    return [
        f"where='{override.removeprefix('where=')}'"
        if override.startswith("where=") and not override.startswith(marks)
        else override
        for override in overrides
    ]


def names(group: str) -> list[str]:
    """The choices of a group; empty where there is no such group."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def options(group: str) -> str:
    """The choices of a group as one text."""
    return ", ".join(names(group))


def plain(cfg: DictConfig) -> DictConfig:
    """`cfg` with interpolations resolved, without Hydra's own part."""
    own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    return DictConfig(OmegaConf.to_container(own, resolve=True, throw_on_missing=True))


def to_dict(cfg: DictConfig) -> dict[str, Any]:
    """`cfg` as plain dicts, lists and values."""
    return cast("dict[str, Any]", OmegaConf.to_container(cfg))


def keys_of(cfg: DictConfig | ListConfig, path: str) -> list[str]:
    """The keys beside the missing key `path`, closest spelling first."""
    parent, _, last = path.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    if not isinstance(node, DictConfig):
        return []
    keys = [str(key) for key in node if key != "hydra"]
    near = difflib.get_close_matches(last, keys, n=len(keys), cutoff=0.5)
    return near + [key for key in keys if key not in near]
