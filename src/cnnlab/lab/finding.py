"""What an experiment of the lab takes and returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor


@dataclass(frozen=True)
class Settings:
    """The options of an experiment.

    Attributes:
        image: image file used instead of the photograph that ships with scikit-learn.
        seed: seed of the random numbers.
        threads: number of PyTorch threads.
    """

    image: Path | None = None
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class Finding:
    """The result of an experiment.

    Attributes:
        title: the result in one sentence; the caption of the figure on the index page.
        text: the text that the command prints, with at most 120 characters per line.
        values: the numbers for the JSON file, as plain lists, dicts, strings and numbers.
        figure: a figure in the style of `figures.style`.
    """

    title: str
    text: str
    values: Mapping[str, Any]
    figure: Figure


def text_rows(values: Tensor) -> list[str]:
    """The rows of an integer matrix, one line each."""
    return ["  " + " ".join(f"{value:2.0f}" for value in row) for row in values.tolist()]
