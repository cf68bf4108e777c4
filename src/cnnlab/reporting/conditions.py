"""Conditions that select runs: `where='model=resnet18 test/acc>0.9'`."""

import difflib
import operator
import re
import shlex
from collections.abc import Callable, Iterable, Sequence

from cnnlab.errors import UserError
from cnnlab.reporting.records import KnownRun
from cnnlab.runs.run_id import Value

ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
GRAMMAR = "conditions as model=resnet18 or test/acc>0.9, of = != < <= > >="
CONDITION = re.compile(r"([^\s=!<>]+)(!=|<=|>=|=|<|>)(.+)", re.DOTALL)


def text_of(value: Value) -> str:
    """A value as typed on the command line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple):
        return f"[{','.join(value)}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def chosen(runs: Sequence[KnownRun], where: Iterable[str] | None) -> list[KnownRun]:
    """The runs that fulfill all conditions, with spaces between them or in several texts.

    A key is of the configuration or of the record. Comparisons of text ignore case and underscores, so `optimizer=sgd`
    finds SGD. A run without the key fulfills no condition on it but `!=`.

    Raises:
        UserError: a condition cannot be read, no run has its key, or it orders what is not a number.
    """
    fitting = list(runs)
    for text in where or ():
        for word in _words(text):
            key, sign, wanted = _parsed(word)
            require_key("where", key, runs)
            test = _test(word, sign, wanted)
            fitting = [run for run in fitting if test(run.values.get(key))]
    return fitting


def require_key(option: str, key: str, runs: Sequence[KnownRun]) -> None:
    """Raise UserError if no run has `key`; the message lists keys with a similar spelling."""
    known = {name for run in runs for name in run.values}
    if runs and key not in known:
        last = key.rpartition(".")[2]
        near = sorted(name for name in known if last in name)[:4] or difflib.get_close_matches(key, known, n=4)
        raise UserError(f"{option}: no run has the key {key}" + (f"; near it: {', '.join(near)}" if near else ""))


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UserError(f"where takes {GRAMMAR}, got {text!r}: {error}") from error


def _parsed(word: str) -> tuple[str, str, str]:
    match = CONDITION.fullmatch(word)
    if match is None:
        raise UserError(f"where takes {GRAMMAR}, without spaces around the sign, got {word!r}")
    return match[1], match[2], match[3]


def _test(word: str, sign: str, wanted: str) -> Callable[[Value], bool]:
    number = _number(wanted)
    if sign in ORDERS:
        if number is None:
            raise UserError(f"where: {sign} needs a number, got {word!r}")
        order = ORDERS[sign]
        return lambda value: isinstance(value, int | float) and is_number(value) and order(value, number)

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
