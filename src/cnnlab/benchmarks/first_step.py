"""`python -m cnnlab.benchmarks.first_step START ARGUMENTS`: time `train.py ARGUMENTS` up to its first step, by part.

It imports the heavy packages one by one, then runs the command itself and reads the clock around the parts of `build`.
The last line that it prints is the seconds of each part as JSON.

START is the time at which the process was started, on the clock of time.monotonic, which all processes share.
"""

import importlib
import json
import os
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnnlab.machine.imports import import_lightning

TRAIN = Path(__file__).resolve().parents[2] / "train.py"


class Marks:
    """Seconds from each mark to the next."""

    def __init__(self, start: float) -> None:
        self.seconds: dict[str, float] = {}
        self._last = start

    def mark(self, part: str) -> None:
        """Add the time since the last mark to `part`."""
        now = time.monotonic()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last
        self._last = now

    def around(self, function: Callable[..., Any], before: str, part: str) -> Callable[..., Any]:
        """`function`, with its own time added to `part` and the time since the last mark to `before`."""

        def marked(*args: Any, **kwargs: Any) -> Any:
            self.mark(before)
            result = function(*args, **kwargs)
            self.mark(part)
            return result

        return marked


def main() -> None:
    marks = Marks(start=float(sys.argv.pop(1)))
    marks.mark("Python")
    for package in ("hydra", "torch", "lightning", "cnnlab.runs.run"):
        if package == "lightning":
            import_lightning()
        importlib.import_module(package)
        marks.mark(f"import {package}")
    from cnnlab.build import objects
    from cnnlab.runs import run
    from cnnlab.training.classifier import ImageClassifier

    def end(self: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        marks.mark("first step")
        print(json.dumps(marks.seconds), flush=True)
        os._exit(0)

    objects.build_datamodule = marks.around(objects.build_datamodule, "configuration", "data")
    objects.build_classifier = marks.around(objects.build_classifier, "data", "network")
    run.build_trainer = marks.around(run.build_trainer, "run folder", "trainer")
    ImageClassifier.on_train_batch_end = end  # type: ignore[method-assign]
    runpy.run_path(str(TRAIN), run_name="__main__")


if __name__ == "__main__":
    main()
