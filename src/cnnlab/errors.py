"""Errors that the user can fix, printed in one line without a traceback."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class UserError(Exception):
    """A mistake in the command, the data or the machine's state; commands print it and exit with status 1."""


class Lost(UserError):
    """A process of the run was killed from outside; the run itself is fine and can be resumed."""


class Diverged(UserError):
    """A loss, metric or weight is no longer finite; the same command would diverge again."""


class Terminated(SystemExit):
    """The process received SIGTERM and has to end."""


def one_of(name: str, value: object, allowed: Iterable[object], error: type[Exception] = UserError) -> None:
    """Raise `error` unless `value` is in `allowed`; library packages raise ValueError."""
    choices = list(allowed)
    if value not in choices:
        raise error(f"{name} must be one of {choices}, got {value!r}")


def closest_first(word: str, names: Iterable[str]) -> str:
    """The names that may stand where somebody typed `word`, with commas between them, the closest spelling first."""
    names = list(names)
    near = difflib.get_close_matches(word, names, n=max(1, len(names)), cutoff=0.5)
    return ", ".join([*near, *(name for name in names if name not in near)])


@contextmanager
def checking(what: str = "") -> Iterator[None]:
    """Raise ValueErrors within the context as UserErrors that begin with `what`, such as `checkpoint=PATH`."""
    try:
        yield
    except ValueError as error:
        raise UserError(f"{what}: {error}" if what else str(error)) from error
