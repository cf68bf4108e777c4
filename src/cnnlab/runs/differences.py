"""What distinguishes a run from the default one, as a short text for its folder's name. Imports no torch."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hydra.core.hydra_config import HydraConfig

from cnnlab.config.compose import compose_another
from cnnlab.config.overrides import as_typed
from cnnlab.config.schema import TrainConfig
from cnnlab.runs.run_id import hashed

LONGEST = 40  # characters of the text
OWN = ("seed", "conv", "tta", "monitor", "trainer", "data")  # sections whose keys may change through other keys
OTHER_GROUPS = ("experiment", "experiment/without", "recipe")  # that set keys of several sections
UNSAFE = re.compile(r"[^A-Za-z0-9._=+-]+")  # in a folder's name, on some system or in some shell


def differences(cfg: TrainConfig) -> str:
    """What differs from the defaults among the keys that the run id hashes, such as `adamw,lr=0.1,seed=1`.

    The experiment, or the network and the dataset, are left out if `cfg.name` says them already. Empty if nothing
    differs, or if `cfg` was not composed from a command line.
    """
    if not HydraConfig.initialized():
        return ""
    typed = as_typed(HydraConfig.get().overrides.task)
    overrides = {key.lstrip("+~"): value for key, _, value in (override.partition("=") for override in typed)}
    named = _groups_in_name(cfg, overrides)
    own, default = hashed(cfg), _default(named, overrides)
    parts = {}
    for key, value in overrides.items():
        if key not in named and (key in OTHER_GROUPS or _at(own, key) != _at(default, key)):
            found = _at(own, key)
            parts[key] = part(key, value if isinstance(found, Mapping) or key in OTHER_GROUPS else found)
    if not any(key in parts for key in OTHER_GROUPS):
        for key, value in _leaves({name: own[name] for name in OWN}):
            if value != _at(default, key) and not any(f"{key}.".startswith(f"{known}.") for known in overrides):
                parts[key] = part(key, value)
    return joined(parts)


def _groups_in_name(cfg: TrainConfig, overrides: Mapping[str, str]) -> tuple[str, ...]:
    """The groups whose choice is part of the name."""
    choices = HydraConfig.get().runtime.choices
    if cfg.name == f"{choices['model']}-{choices['data']}":
        return ("model", "data")
    return () if "name" in overrides else ("experiment",)


def _default(named: Iterable[str], overrides: Mapping[str, str]) -> dict[str, Any]:
    """The hashed keys of the configuration that has the choices in `named`, and nothing else from the command line."""
    chosen = [f"{group}={overrides[group]}" for group in named if group in overrides]
    return hashed(compose_another("train", chosen))


def _at(content: Any, key: str) -> Any:
    """The value of a dotted key; None if there is none."""
    for part in key.split("."):
        content = content.get(part) if isinstance(content, Mapping) else None
    return content


def _leaves(content: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def part(key: str, value: Any) -> str:
    """`optimizer=adamw` as adamw, `trainer.max_epochs=5` as epochs=5."""
    is_choice = isinstance(value, str) and "." not in key and key != "seed" and value not in ("none", "null")
    text = re.sub(r"^\[(.*)\]$", r"\1", f"{value:g}" if isinstance(value, float) else str(value)).replace(" ", "")
    text = UNSAFE.sub("_", text.replace(",", "+"))
    name = re.split(r"[./]", key)[-1].removeprefix("max_")
    return text if is_choice and "/" not in key else f"{name}={text}"


def joined(parts: Mapping[str, str]) -> str:
    """The parts that fit, and how many more there are; a seed is always among the first."""
    text = ",".join(parts.values())
    if len(text) <= LONGEST:
        return text
    shown: list[str] = []
    for key in sorted(parts, key=lambda key: key != "seed"):
        if len(_shortened(parts, [*shown, key])) > LONGEST:
            break
        shown.append(key)
    return _shortened(parts, shown) if shown else text[:LONGEST].rstrip(",.")


def _shortened(parts: Mapping[str, str], shown: list[str]) -> str:
    return ",".join([*(part for key, part in parts.items() if key in shown), f"+{len(parts) - len(shown)}"])
