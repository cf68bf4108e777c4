"""The result of an experiment of the lab: a text, numbers and a figure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Settings:
    """The options of an experiment.

    Attributes:
        image: an image file instead of the photograph that ships with scikit-learn.
        seed: of random numbers.
        threads: of torch.
    """

    image: Path | None = None
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class Finding:
    """
    Attributes:
        title: the experiment's result in one sentence, the heading of its figure on the index page.
        text: printed in the terminal, in lines of at most 120 characters.
        values: the numbers, in plain lists, dicts, strings and numbers, for the JSON file.
        figure: drawn with the style of `figures.style`.
    """

    title: str
    text: str
    values: Mapping[str, Any]
    figure: Figure
