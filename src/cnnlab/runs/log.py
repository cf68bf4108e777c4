"""What a run says: on the terminal, and in its folder's train.log."""

from pathlib import Path


class Log:
    """Prints lines, and keeps those that come before the file is open."""

    def __init__(self) -> None:
        self._early: list[str] = []
        self._path: Path | None = None

    def __call__(self, line: str = "") -> None:
        print(line, flush=True)
        if self._path is None:
            self._early.append(line)
        else:
            with self._path.open("a") as stream:
                stream.write(line + "\n")

    def open(self, path: Path) -> None:
        """From now on lines go to `path` too, those so far first."""
        self._path = path
        with path.open("a") as stream:
            stream.writelines(line + "\n" for line in self._early)
