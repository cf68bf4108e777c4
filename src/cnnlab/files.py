"""Atomic writes, errors while writing, and damaged files."""

import os
import struct
import zipfile
import zlib
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnlab.errors import UserError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write `content` to a temporary file next to `path`, then rename it, so that `path` is never incomplete."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def free_path(path: Path, taken: Container[Path]) -> Path:
    """`path`, or with a number if it is taken: `a.png`, `a_2.png`, `a_3.png`."""
    count, candidate = 1, path
    while candidate in taken:
        count += 1
        candidate = path.with_stem(f"{path.stem}_{count}")
    return candidate


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Raise OSErrors within the context as UserErrors that begin with `what`, such as `output=PATH`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{what} cannot be written: {error.strerror}") from error


def damage_in(path: Path) -> str | None:
    """The damage in a zip archive such as torch.save writes, or None; torch.load does not verify the checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.testzip()
    except (OSError, EOFError, RuntimeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error) as error:
        return str(error) or type(error).__name__
    return None if member is None else f"the checksum of {member} does not match its content"


def checksum_of(text: str) -> str:
    """The CRC-32 of `text` as eight hexadecimal digits."""
    return f"{zlib.crc32(text.encode()):08x}"
