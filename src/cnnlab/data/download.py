"""Download the official files: resume interrupted transfers and verify checksums."""

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from cnnlab.errors import UserError

CHUNK = 2**20
LARGEST = 2**29  # bytes; the largest official file, that of CIFAR-10, has 170 million
TOO_LARGE = "the file is larger than every official one, and was not saved"
SLOWEST = 1024  # bytes per second, on average over PATIENCE seconds
PATIENCE = 60


def md5_of(path: Path) -> str:
    """Return the MD5 checksum of a file. The authors of the datasets publish MD5 checksums."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def fetch(url: str, target: Path, md5: str, timeout: float = 20.0) -> None:
    """Download `url` to `target`, resuming an interrupted transfer from `target`.part.

    A file at `target` with the checksum `md5` is not downloaded again.

    Args:
        timeout: maximum time to wait for the server, in seconds.

    Raises:
        UserError: the file cannot be downloaded, or its checksum is not `md5`. `target` is then unchanged.
    """
    partial = target.with_name(target.name + ".part")
    try:
        if target.exists() and md5_of(target) == md5:
            return
        _transfer(url, partial, timeout)
        if (got := md5_of(partial)) != md5:
            partial.unlink()
            raise UserError(f"{url}: the MD5 checksum must be {md5}, got {got}")
        os.replace(partial, target)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise UserError(f"{url}: {getattr(error, 'reason', error)}") from error


def _transfer(url: str, partial: Path, timeout: float) -> None:
    start = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # range not satisfiable: the partial file is already complete
            return
        raise
    with response:
        began, received = time.monotonic(), 0
        partial.parent.mkdir(parents=True, exist_ok=True)
        resumed = response.status == 206
        total = int(response.headers.get("Content-Length") or 0) + (start if resumed else 0)
        if total > LARGEST:
            raise OSError(TOO_LARGE)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with partial.open("ab" if resumed else "wb") as stream, Progress(*columns) as progress:
            task = progress.add_task(partial.stem, total=total or None, completed=start if resumed else 0)
            while chunk := response.read1(CHUNK):
                stream.write(chunk)
                progress.advance(task, len(chunk))
                received += len(chunk)
                if stream.tell() > LARGEST:
                    partial.unlink()
                    raise OSError(TOO_LARGE)
                seconds = time.monotonic() - began
                if seconds > PATIENCE and received < SLOWEST * seconds:
                    raise OSError(f"the server sent {received:,} bytes in {seconds:.0f} seconds, which is too slow")
    if (got := partial.stat().st_size) < total:
        raise OSError(f"the transfer stopped after {got:,} of {total:,} bytes; run the same command again to resume it")
