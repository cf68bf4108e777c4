"""Files that are either whole or not there, and folders that take none."""

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnlab.errors import UserError


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to a neighbor of `path`, then put that in its place."""
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


def damage_in(path: Path) -> str | None:
    """What is wrong with a zip archive, as torch.save writes it, by the checksums of its members; None if nothing is.

    torch.load does not look at the checksums.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.testzip()
    except (OSError, EOFError, RuntimeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error) as error:
        return str(error) or type(error).__name__
    return None if member is None else f"the checksum of {member} does not match its content"


def checksum_of(text: str) -> str:
    """Eight hexadecimal digits: the CRC-32 of `text`."""
    return f"{zlib.crc32(text.encode()):08x}"
