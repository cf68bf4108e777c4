"""Conditions that select runs: `where='model=resnet18 test/acc>0.9'`."""

import difflib
import operator
import re
import shlex
from collections.abc import Callable, Iterable, Sequence

from cnnlab.errors import UserError
from cnnlab.reporting.records import KnownRun, is_number
from cnnlab.runs.run_id import Value

ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
GRAMMAR = "conditions such as model=resnet18 or test/acc>0.9, with = != < <= > >="
CONDITION = re.compile(r"([^\s=!<>]+)(!=|<=|>=|=|<|>)(.+)", re.DOTALL)


def text_of(value: Value) -> str:
    """A value as typed on the command line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple):
        return f"[{','.join(value)}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def chosen(runs: Sequence[KnownRun], where: Iterable[str] | None) -> list[KnownRun]:
    """The runs that meet all conditions; `where` has texts of conditions separated by spaces.

    Keys are those of the configuration and of the record. Comparisons of text ignore case and underscores, so
    `optimizer=sgd` selects SGD. A run without the key meets only conditions with `!=`.

    Raises:
        UserError: a condition cannot be parsed, no run has its key, or it compares the order of text.
    """
    selected = list(runs)
    for word in (word for text in where or () for word in _words(text)):
        key, sign, wanted = _parsed(word)
        require_key("where", key, runs)
        test = _test(word, sign, wanted)
        selected = [run for run in selected if test(run.values.get(key))]
    return selected


def require_key(option: str, key: str, runs: Sequence[KnownRun]) -> None:
    """Raise UserError if no run has `key`; the message lists keys with a similar spelling."""
    known = {name for run in runs for name in run.values}
    if runs and key not in known:
        last = key.rpartition(".")[2]
        near = sorted(name for name in known if last in name)[:4] or difflib.get_close_matches(key, known, n=4)
        raise UserError(f"{option}: no run has the key {key}" + (f"; similar: {', '.join(near)}" if near else ""))


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UserError(f"where takes {GRAMMAR}, got {text!r}: {error}") from error


def _parsed(word: str) -> tuple[str, str, str]:
    match = CONDITION.fullmatch(word)
    if match is None:
        raise UserError(f"where takes {GRAMMAR}, without spaces around the operator, got {word!r}")
    return match[1], match[2], match[3]


def _test(word: str, sign: str, wanted: str) -> Callable[[Value], bool]:
    number = _number(wanted)
    if sign in ORDERS:
        if number is None:
            raise UserError(f"where: {sign} needs a number, got {word!r}")
        order = ORDERS[sign]
        return lambda value: is_number(value) and order(value, number)

    def is_equal(value: Value) -> bool:
        return value == number if is_number(value) else _plain(text_of(value)) == _plain(wanted)

    return is_equal if sign == "=" else lambda value: not is_equal(value)


def _plain(text: str) -> str:
    return text.lower().replace("_", "").replace(" ", "")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
