"""Files that are either whole or not there, and folders that take none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnlab.errors import UserError


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to a neighbour of `path`, then put that in its place."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(text)
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def writing(what: str) -> Iterator[None]:
    """While `what` is written, as in `output=PATH`: turn the system's errors into a UserError that names it."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{what} cannot be written: {error.strerror}") from error
