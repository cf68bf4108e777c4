"""Groups of runs that differ only in their seed: names, means and standard deviations."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import mean, stdev
from typing import Any

from cnnlab.reporting.conditions import require_key, text_of
from cnnlab.reporting.records import MEASURED, NUMBERS, KnownRun, is_number
from cnnlab.runs.run_id import Value

CHOICES = ("model", "data", "augment", "loss", "optimizer", "scheduler")  # these columns precede single values


@dataclass(frozen=True)
class Group:
    """Runs with the same `key`. Unfinished runs are counted but not averaged."""

    key: Mapping[str, Value]
    runs: list[KnownRun]

    @cached_property
    def done(self) -> list[KnownRun]:
        return [run for run in self.runs if run.is_done]

    @property
    def unfinished(self) -> str:
        counts = Counter(run.record["status"] for run in self.runs if not run.is_done)
        return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))

    @property
    def is_limited(self) -> bool:
        return any(run.record.get("limits") for run in self.runs)

    def mean(self, field: str) -> float | None:
        """The mean over the completed runs, or None if one of them lacks the number."""
        values = [float(value) for run in self.done if (value := run.record.get(field)) is not None]
        return mean(values) if values and len(values) == len(self.done) else None

    def std(self, field: str) -> float | None:
        """The sample standard deviation over the completed runs, or None for fewer than two."""
        if len(self.done) < 2 or self.mean(field) is None:
            return None
        return stdev(run.record[field] for run in self.done)

    def row(self, columns: Sequence[str]) -> dict[str, Any]:
        """The group as plain values; accuracies are in [0, 1], times in seconds."""
        row: dict[str, Any] = {column: self.key.get(column) for column in columns}
        row = {column: text_of(value) if isinstance(value, tuple) else value for column, value in row.items()}
        seeds = sorted((text_of(seed_of(run)) for run in self.done), key=natural)
        row |= {"n": len(self.done), "seeds": " ".join(seeds)}
        row |= {"unfinished": self.unfinished, "limited": self.is_limited}
        row |= {field: self.mean(field) for field in ("epochs", "best_epoch")}
        for field in MEASURED:
            row |= {field: self.mean(field), f"{field}_std": self.std(field)}
        return row | {field: self.mean(field) for field in ("train_seconds", "images_per_second")}


def seed_of(run: KnownRun) -> Value:
    return run.values.get("seed")


def natural(text: str) -> list[Any]:
    """A sort key that orders resnet20 before resnet110."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", text)]


def grouped(runs: Sequence[KnownRun], keys: Sequence[str] | None) -> list[Group]:
    """Group runs that agree in everything but the seed or, if `keys` are given, in these keys.

    A key is a group of the configuration such as `model`, with all of its values, a single key such as `optimizer.lr`,
    or a key of the record such as `device`. With `run`, each run is a group.

    Raises:
        UserError: no run has one of the keys.
    """
    for key in keys or ():
        if not any(name.startswith(f"{key}.") for run in runs for name in run.identity):
            require_key("group_by", key, runs)
    members: dict[frozenset[tuple[str, Value]], list[KnownRun]] = defaultdict(list)
    for run in runs:
        members[frozenset(_key_of(run, keys).items())].append(run)
    return [Group(_key_of(same[0], keys), same) for same in members.values()]


def _key_of(run: KnownRun, keys: Sequence[str] | None) -> Mapping[str, Value]:
    if keys is None:
        return run.identity
    within = tuple(f"{key}." for key in keys)
    selected = {name: value for name, value in run.identity.items() if name.startswith(within)}
    return {key: run.values.get(key) for key in keys} | selected


def columns_of(groups: Sequence[Group], keys: Sequence[str] | None) -> list[str]:
    """The keys in which the groups differ.

    These are the choices that differ, and single values that differ between groups with the same choices. Values that
    follow from a choice, such as a network's arguments or a dataset's epochs, are omitted.
    """
    present = list(dict.fromkeys(key for group in groups for key in group.key))
    first = [key for key in CHOICES if key in present] if keys is None else list(keys)
    choices = [key for key in first if keys is not None or _differs(key, groups)]
    alike: dict[tuple[Value, ...], list[Group]] = defaultdict(list)
    for group in groups:
        alike[tuple(group.key.get(key) for key in first)].append(group)
    details = [key for key in present if key not in first and any(_differs(key, some) for some in alike.values())]
    return choices + details or [key for key in ("model", "data") if key in present] or present[:1]


def _differs(key: str, groups: Sequence[Group]) -> bool:
    return len({group.key.get(key) for group in groups}) > 1


def shared_choices(groups: Sequence[Group], columns: Sequence[str]) -> str:
    """The choices that all groups share and that no column shows."""
    keys = [key for key in CHOICES if key not in columns and not _differs(key, groups) and key in groups[0].key]
    return ", ".join(f"{key}={text_of(groups[0].key[key])}" for key in keys)


def name_of(group: Group, columns: Sequence[str]) -> str:
    """The name of a group, such as `resnet18, SGD, lr=0.1`."""
    parts = []
    for column in columns:
        text = text_of(group.key.get(column))
        parts.append(text if column in (*CHOICES, "run") else f"{column.rpartition('.')[2]}={text}")
    return ", ".join(parts)


def in_order(groups: Sequence[Group], columns: Sequence[str], sort: str | None) -> list[Group]:
    """Sort by the key `sort`, descending with a `-` in front, then by the columns; groups without the key come last.

    Raises:
        UserError: no run has the key.
    """
    by_name = sorted(groups, key=lambda group: [_order(group.key.get(column)) for column in columns])
    if sort is None:
        return by_name
    key = sort.removeprefix("-")
    require_key("sort", key, [run for group in groups for run in group.runs])
    known = [group for group in by_name if _value(group, key) is not None]
    known.sort(key=lambda group: _order(_value(group, key)), reverse=sort.startswith("-"))
    return known + [group for group in by_name if _value(group, key) is None]


def _value(group: Group, key: str) -> Value:
    """A group's value of `key`: the mean of numbers, else the first value; of completed runs if there are any."""
    if key in NUMBERS:
        return group.mean(key)
    values = [value for run in group.done or group.runs if (value := run.values.get(key)) is not None]
    numbers = [float(value) for value in values if is_number(value)]
    return mean(numbers) if numbers else next(iter(values), None)


def _order(value: Value) -> tuple[bool, float, list[Any]]:
    """A sort key: null before numbers before text."""
    if is_number(value):
        return False, float(value), []
    return value is not None, float("-inf"), [] if value is None else natural(text_of(value))
