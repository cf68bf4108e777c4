"""What is the user's to mend, told in one line without a traceback."""

from collections.abc import Iterable


class UserError(Exception):
    """A mistake in the command, the data or the machine's state; the command line prints it and exits with 1."""


class Lost(UserError):
    """A process of a run was ended from outside; nothing is wrong with the run."""


class Diverged(UserError):
    """A loss, a metric or a weight is no longer finite: the same command would end there again."""


class Terminated(SystemExit):
    """SIGTERM came: whoever runs the program wants it to end now."""


def one_of(name: str, value: object, allowed: Iterable[object], error: type[Exception] = UserError) -> None:
    """Raise `error` unless `value` is among `allowed`; a library package raises ValueError."""
    choices = list(allowed)
    if value not in choices:
        raise error(f"{name} must be one of {choices}, got {value!r}")
