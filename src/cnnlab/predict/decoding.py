"""Images from files, decoded by several threads, batch by batch in order."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from PIL import UnidentifiedImageError
from torch import Tensor

from cnnlab.preprocessing import Prepared, UnreadableImage


@dataclass(frozen=True)
class Decoded:
    """One file.

    Attributes:
        file: its path.
        pixels: uint8 (C, H, W), as the training data stores images; None if the file cannot be read.
        notes: what was done to the image, or why it cannot be read.
    """

    file: str
    pixels: Tensor | None
    notes: tuple[str, ...]


def decoded_batches(
    files: Sequence[str], prepare: Callable[[str], Prepared], batch_size: int, ahead: int = 0
) -> Iterator[list[Decoded]]:
    """Decode `files` in batches of `batch_size`, in order; a file that cannot be read is reported as such.

    Args:
        prepare: reads one file; it is called by several threads.
        ahead: batches that are decoded while the caller works on the one before. On a GPU, 1 hides the decoding; on a
            CPU it would take the time from the network.
    """

    def decode(file: str) -> Decoded:
        try:
            prepared = prepare(file)
        except UnreadableImage as error:
            return Decoded(file, None, (_reason(file, error),))
        return Decoded(file, prepared.pixels, prepared.notes)

    pool = ThreadPoolExecutor()
    waiting: deque[list[Future[Decoded]]] = deque()
    try:
        for start in range(0, len(files), batch_size):
            waiting.append([pool.submit(decode, file) for file in files[start : start + batch_size]])
            if len(waiting) > ahead:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)


def _reason(file: str, error: UnreadableImage) -> str:
    """Why a file cannot be read, in a few words."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.strerror:
        return f"unreadable: {cause.strerror}"
    if isinstance(cause, UnidentifiedImageError):
        return "unreadable: the file is empty" if os.path.getsize(file) == 0 else "unreadable: not an image"
    return f"unreadable: {cause or error}"
