"""Fetching the official files: resumed where a transfer broke off, and kept only if the checksum is right."""

import hashlib
import os
import urllib.error
import urllib.request
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from cnnlab.errors import UserError

CHUNK = 2**20


def md5_of(path: Path) -> str:
    """The file's MD5, which is what the datasets' authors publish."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def fetch(url: str, target: Path, md5: str, timeout: float = 20.0) -> None:
    """Download `url` to `target`, going on from `target`.part where an earlier transfer broke off.

    Raises:
        UserError: the file cannot be had, or its checksum is not `md5`; then nothing is left at `target`.
    """
    partial = target.with_name(target.name + ".part")
    try:
        if target.exists() and md5_of(target) == md5:
            return
        _transfer(url, partial, timeout)
        if (got := md5_of(partial)) != md5:
            partial.unlink()
            raise UserError(f"{url}: the checksum must be {md5}, got {got}")
        os.replace(partial, target)
    except OSError as error:
        raise UserError(f"{url}: {getattr(error, 'reason', error)}") from error


def _transfer(url: str, partial: Path, timeout: float) -> None:
    start = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to send: the part is already whole
            return
        raise
    with response:
        partial.parent.mkdir(parents=True, exist_ok=True)
        resumed = response.status == 206
        total = int(response.headers.get("Content-Length") or 0) + (start if resumed else 0)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with partial.open("ab" if resumed else "wb") as stream, Progress(*columns) as progress:
            task = progress.add_task(partial.stem, total=total or None, completed=start if resumed else 0)
            while chunk := response.read(CHUNK):
                stream.write(chunk)
                progress.advance(task, len(chunk))
    if (got := partial.stat().st_size) < total:
        raise OSError(f"the transfer broke off after {got:,} of {total:,} bytes; the same command goes on from there")
