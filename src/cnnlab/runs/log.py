"""The lines of a run: printed, and written to its folder's train.log."""

from pathlib import Path


class Log:
    """Prints lines; those before `open` are written to the file as soon as it is open."""

    def __init__(self) -> None:
        self._early: list[str] = []
        self._path: Path | None = None

    def __call__(self, line: str = "") -> None:
        print(line, flush=True)
        if self._path is None:
            self._early.append(line)
        else:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")

    def open(self, path: Path) -> None:
        """Write all lines, earlier ones included, to `path` from now on."""
        self._path = path
        with path.open("a", encoding="utf-8") as stream:
            stream.writelines(line + "\n" for line in self._early)
