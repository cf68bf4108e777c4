"""Where a dataset's cache is, and the fingerprint of images that were read before. Imports no torch.

Beside each cache a note lists the files that it was made from. While none of them has changed, the fingerprint of the
images is known without reading them, so that a complete run is reported within a second.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnlab.data.specs import SPECS
from cnnlab.files import checksum_of, write_atomically

FORMAT = 2  # raise it when the readers make other tensors of the same files


def cache_places(name: str, root: Path, image_size: int | None) -> list[Path]:
    """The files that may hold the cache: beside the data, or in a folder of the user's cache for this `root` alone.

    Args:
        image_size: of stored images of `image_folder`; the other datasets are stored as distributed.
    """
    file = f"{name}-{stored_size(name, image_size)}.pt"
    users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cnnlab" / digest_of(root)
    return [folder / file for folder in (root / ".cnnlab", users)]


def stored_size(name: str, image_size: int | None) -> int:
    """The height and width of the cached images."""
    return (image_size if name == "image_folder" else None) or SPECS[name].images.image_size


def digest_of(root: Path) -> str:
    """Twelve hexadecimal digits for a folder."""
    return hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]


def note_fingerprint(name: str, root: Path, cache: Path, files: Sequence[str | Path], fingerprint: str) -> None:
    """Write down beside `cache` what the images with `fingerprint` were read from.

    The folders are listed as well, whose times change when a file is added or removed.
    """
    folders = {str(root), *(os.path.dirname(path) for path in files)}
    paths = sorted({*folders, *map(str, files), *(os.path.dirname(folder) for folder in folders - {str(root)})})
    stated = [[path, *_state(path)] for path in paths]
    note = {"facts": _facts(name), "fingerprint": fingerprint, "files": stated}
    write_atomically(_note(cache), json.dumps(note | {"checksum": _checksum_of(note)}))


def noted_fingerprint(name: str, root: Path, image_size: int | None) -> str | None:
    """The fingerprint of the images as they are now; None if they were not read before or a file has changed."""
    for cache in cache_places(name, root, image_size):
        try:
            note = json.loads(_note(cache).read_text(encoding="utf-8"))
            is_intact = note.pop("checksum") == _checksum_of(note) and note["facts"] == _facts(name)
            unchanged = is_intact and all(_state(path) == (size, time) for path, size, time in note["files"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if unchanged and cache.exists():
            return str(note["fingerprint"])
    return None


def _note(cache: Path) -> Path:
    return cache.with_suffix(".json")


def _checksum_of(note: dict[str, Any]) -> str:
    return checksum_of(json.dumps(note, sort_keys=True))


def _facts(name: str) -> str:
    return f"{FORMAT} {SPECS[name]}"


def _state(path: str) -> tuple[int, int]:
    """Size and time of a file; the time alone of a folder, whose size means nothing."""
    status = os.stat(path)
    return (0 if os.path.isdir(path) else status.st_size), status.st_mtime_ns
