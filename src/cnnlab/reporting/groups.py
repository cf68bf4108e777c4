"""Groups of runs that differ only in their seed: names, means and standard deviations."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import mean, stdev
from typing import Any

from cnnlab.reporting.conditions import is_number, require_key, text_of
from cnnlab.reporting.records import MEASURED, NUMBERS, KnownRun
from cnnlab.runs.run_id import Value

CHOICES = ("model", "data", "augment", "loss", "optimizer", "scheduler")  # told before single values


@dataclass(frozen=True)
class Group:
    """Runs with the same `key`; unfinished runs are counted, but not averaged."""

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
        """The mean over the complete runs, or None if one of them lacks the number."""
        values = [float(value) for run in self.done if (value := run.record.get(field)) is not None]
        return mean(values) if values and len(values) == len(self.done) else None

    def std(self, field: str) -> float | None:
        """The sample standard deviation, or None for fewer than two runs."""
        if len(self.done) < 2 or self.mean(field) is None:
            return None
        return stdev(run.record[field] for run in self.done)

    def row(self, columns: Sequence[str]) -> dict[str, Any]:
        """The group as plain values: accuracies in [0, 1], seconds."""
        row: dict[str, Any] = {column: _plain(self.key.get(column)) for column in columns}
        seeds = sorted((text_of(seed_of(run)) for run in self.done), key=natural)
        row |= {"n": len(self.done), "seeds": " ".join(seeds)}
        row |= {"unfinished": self.unfinished, "limited": self.is_limited}
        row |= {field: self.mean(field) for field in ("epochs", "best_epoch")}
        for field in MEASURED:
            row |= {field: self.mean(field), f"{field}_std": self.std(field)}
        return row | {field: self.mean(field) for field in ("train_seconds", "images_per_second")}


def seed_of(run: KnownRun) -> Value:
    return run.values.get("seed")


def _plain(value: Value) -> Any:
    return text_of(value) if isinstance(value, tuple) else value


def natural(text: str) -> list[Any]:
    """A sort key that puts resnet20 before resnet110."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", text)]


def grouped(runs: Sequence[KnownRun], keys: Sequence[str] | None) -> list[Group]:
    """Group runs that agree in everything but the seed or, if `keys` are given, in these keys.

    `model` stands for everything in this group of the configuration, `optimizer.lr` for itself, and a key of the
    record, such as `device`, for its value; `run` makes each run a group.

    Raises:
        UserError: no run has one of the keys.
    """
    for key in keys or ():
        if not any(name.startswith(f"{key}.") for run in runs for name in run.identity):
            require_key("group_by", key, runs)
    members: dict[frozenset[tuple[str, Value]], list[KnownRun]] = defaultdict(list)
    for run in runs:
        members[frozenset(_key_of(run, keys).items())].append(run)
    return [Group(_key_of(together[0], keys), together) for together in members.values()]


def _key_of(run: KnownRun, keys: Sequence[str] | None) -> Mapping[str, Value]:
    if keys is None:
        return run.identity
    within = tuple(f"{key}." for key in keys)
    selected = {name: value for name, value in run.identity.items() if name.startswith(within)}
    return {key: run.values.get(key) for key in keys} | selected


def columns_of(groups: Sequence[Group], keys: Sequence[str] | None) -> list[str]:
    """The keys in which the groups differ.

    These are the choices that differ, and single values that differ between groups with the same choices. Values that
    follow from a choice, such as a network's arguments or a dataset's epochs, are left out.
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
    """The choices that all groups share and that are not in a column."""
    keys = [key for key in CHOICES if key not in columns and not _differs(key, groups) and key in groups[0].key]
    return ", ".join(f"{key}={text_of(groups[0].key[key])}" for key in keys)


def name_of(group: Group, columns: Sequence[str]) -> str:
    """The name of a group in a legend: `resnet18, SGD, lr=0.1`."""
    parts = []
    for column in columns:
        text = text_of(group.key.get(column))
        parts.append(text if column in (*CHOICES, "run") else f"{column.rpartition('.')[2]}={text}")
    return ", ".join(parts)


def in_order(groups: Sequence[Group], columns: Sequence[str], sort: str | None) -> list[Group]:
    """Sort by the columns' values, then by the mean or value of `sort`, descending with `-`; groups without it last.

    Raises:
        UserError: no run has that key.
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
    """A group's value: the mean of several numbers; results are those of complete runs."""
    if key in NUMBERS:
        return group.mean(key)
    values = [value for run in group.done or group.runs if (value := run.values.get(key)) is not None]
    numbers = [float(value) for value in values if isinstance(value, int | float) and is_number(value)]
    return mean(numbers) if numbers else next(iter(values), None)


def _order(value: Value) -> tuple[bool, float, list[Any]]:
    """Numbers before text; null before both."""
    if isinstance(value, int | float) and is_number(value):
        return False, float(value), []
    return value is not None, float("-inf"), [] if value is None else natural(text_of(value))
