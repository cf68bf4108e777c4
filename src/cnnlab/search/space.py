"""The search space: keys of the configuration, and the values that each may take.

Imports neither torch nor optuna, so that a wrong space is reported immediately.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnlab.config import folders
from cnnlab.config.fields import typed
from cnnlab.config.schema import TrainConfig, TuneConfig
from cnnlab.errors import UserError, closest_first, one_of
from cnnlab.reporting.records import is_number
from cnnlab.runs.run_id import is_hashed

if TYPE_CHECKING:
    from optuna.trial import Trial

DIGITS = 4  # significant digits of a sampled number, so that command lines are readable
# These keys change what is measured, not how good the result is.
NOT_SEARCHED = (
    "seed", "monitor", "data.name", "data.val_size", "data.split_seed", "data.order_seed", "data.limit",
    "trainer.limit_eval_batches", "data", "trainer", "experiment",  # the files of these groups set such keys
)  # fmt: skip


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, integers if both are; `log` samples uniformly on a logarithmic scale."""

    low: float
    high: float
    log: bool

    @property
    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def suggest(self, trial: Trial, key: str) -> str:
        if self.is_whole:
            return str(trial.suggest_int(key, int(self.low), int(self.high), log=self.log))
        return self.shown(trial.suggest_float(key, self.low, self.high, log=self.log))

    def inside(self, value: Any) -> Any:
        """`value` as the study stores it, or None if it is outside the range."""
        fits = is_number(value) and self.low <= value <= self.high and (isinstance(value, int) or not self.is_whole)
        return value if fits else None

    def shown(self, value: Any) -> str:
        return str(value) if self.is_whole else repr(float(f"{value:.{DIGITS}g}"))


@dataclass(frozen=True)
class Choices:
    """A list of values as typed on the command line."""

    values: tuple[str, ...]

    def suggest(self, trial: Trial, key: str) -> str:
        return str(trial.suggest_categorical(key, self.values))

    def inside(self, value: Any) -> Any:
        """`value` as the study stores it, or None if it is not a choice."""
        return typed(value) if typed(value) in self.values else None

    def shown(self, value: Any) -> str:
        return str(value)


Space = dict[str, Range | Choices]


def read_space(node: Mapping[str, Any], cfg: TuneConfig, choices: Mapping[str, Any]) -> tuple[Space, dict[str, Any]]:
    """The space that `node` describes, and the default values of its keys.

    Args:
        node: nested like the configuration, with {low, high} and optionally log, or {choices}, instead of a value.
        cfg: the configuration in which each trial replaces these values.
        choices: the selected file of each group.

    Raises:
        UserError: a key is unknown, cannot be searched, or has neither a range nor choices.
    """
    space = dict(_dimensions(node, ""))
    if not space:
        raise UserError("search must have at least one key, got none")
    defaults, values = {}, cfg.model_dump()
    for key, dimension in space.items():
        _refuse(key, cfg.monitor)
        if options := folders.choices(key):
            defaults[key] = choices[key]
            for choice in dimension.values if isinstance(dimension, Choices) else ("a range",):
                one_of(f"search.{key}.choices", choice, options)
        else:
            defaults[key] = _value(key, values)
    return space, defaults


def study_keys() -> set[str]:
    """The top-level keys of a study's configuration that its runs do not have."""
    return {*TuneConfig.model_fields} - {*TrainConfig.model_fields}


def _dimensions(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Range | Choices]]:
    for name, value in node.items():
        key = f"{prefix}{name}"
        if not isinstance(value, dict):
            raise UserError(f"search.{key} must be {{low, high}}, optionally with log, or {{choices}}, got {value!r}")
        if value.keys() & {"low", "high", "choices"}:
            yield key, _dimension(key, value)
        else:
            yield from _dimensions(value, f"{key}.")


def _dimension(key: str, node: dict[str, Any]) -> Range | Choices:
    if node.keys() == {"choices"} and isinstance(node["choices"], list) and node["choices"]:
        return Choices(tuple(map(typed, node["choices"])))
    if {"low", "high"} <= node.keys() <= {"low", "high", "log"}:
        low, high, log = node["low"], node["high"], node.get("log", False)
        if is_number(low) and is_number(high) and low < high and (low > 0 or not log) and isinstance(log, bool):
            return Range(low, high, log)
    raise UserError(
        f"search.{key} must be {{low, high}}, numbers with low below high, above 0 with log: true, or {{choices}}, a "
        f"list, got {node}"
    )


def _refuse(key: str, monitor: str) -> None:
    group = key.partition(".")[0]
    if key in NOT_SEARCHED:
        raise UserError(f"search.{key}: this key changes what is measured, so it cannot be searched")
    if group == "loss" and monitor.endswith("/loss"):
        raise UserError(
            f"search.{key}: a loss cannot be searched by monitor={monitor}, which depends on it; use val/acc"
        )
    if group in study_keys() or not is_hashed(key):
        raise UserError(f"search.{key}: this key does not change what a network learns")


def _value(key: str, values: Mapping[str, Any]) -> Any:
    parent, _, last = key.rpartition(".")
    node: Any = values
    for part in parent.split(".") if parent else ():
        node = node.get(part) if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping):
        raise UserError(f"search.{key}: unknown key; no key {parent}")
    if last not in node:
        names = closest_first(last, (name for name in node if name != "_target_"))
        target = str(node.get("_target_", "")).rpartition(".")[2]
        raise UserError(f"search.{key}: unknown key; {parent} has: {names}{f' ({target})' if target else ''}")
    return node[last]
