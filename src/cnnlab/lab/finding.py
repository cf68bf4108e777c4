"""What an experiment of the lab finds: a text, numbers and a picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Settings:
    """What an experiment may be told.

    Attributes:
        image: a picture file in place of the photograph that ships with scikit-learn.
        seed: decides what is drawn at random.
        threads: as torch uses them.
    """

    image: Path | None = None
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class Finding:
    """
    Attributes:
        title: the experiment's result in one sentence, which stands over its picture on the index page.
        text: what the terminal shows, in lines of at most 120 characters.
        values: the numbers, in plain lists, dicts, strings and numbers, for the JSON file.
        picture: drawn with the style of `figures.style`.
    """

    title: str
    text: str
    values: Mapping[str, Any]
    picture: Figure
