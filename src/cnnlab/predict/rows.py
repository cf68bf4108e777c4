"""Predictions as rows of a table: plain values for programs, or text for people."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from cnnlab.predict.prediction import Prediction

SHOWN_ROWS = 60  # of a table in the terminal


def plain_rows(predictions: Sequence[Prediction], classes: Sequence[str]) -> list[dict[str, Any]]:
    """One row per class of each file, with its rank from 1; an unreadable file has one row without a class."""
    rows: list[dict[str, Any]] = []
    for prediction in predictions:
        facts = {"file": utf8(prediction.file)}
        notes = utf8(", ".join(prediction.notes))
        ranked = enumerate(zip(prediction.classes, prediction.probabilities, strict=True), start=1)
        if not prediction.is_readable:
            rows.append({**facts, "rank": None, "class": None, "probability": None, "notes": notes})
        for rank, (label, probability) in ranked:
            rows.append({**facts, "rank": rank, "class": classes[label], "probability": probability, "notes": notes})
    return rows


def readable_rows(predictions: Sequence[Prediction], classes: Sequence[str]) -> list[dict[str, str]]:
    """The same rows as text; file and notes stand in the first row of each file only."""
    rows = []
    for row in plain_rows(predictions, classes):
        first = row["rank"] in (None, 1)
        rows.append(
            {
                "file": row["file"] if first else "",
                "rank": "" if row["rank"] is None else str(row["rank"]),
                "class": row["class"] or "",
                "probability": "" if row["probability"] is None else f"{row['probability']:.4f}",
                "notes": row["notes"] if first else "",
            }
        )
    return rows


def changes_in(predictions: Sequence[Prediction]) -> Counter[str]:
    """How many images were changed, by what was done to them."""
    return Counter(note for prediction in predictions if prediction.is_readable for note in prediction.notes)


def first_of(predictions: Sequence[Prediction], most_rows: int = SHOWN_ROWS) -> Sequence[Prediction]:
    """As many of the first predictions as fit into `most_rows` rows, at least one."""
    rows = 0
    for count, prediction in enumerate(predictions):
        rows += max(1, len(prediction.classes))
        if rows > most_rows:
            return predictions[: max(1, count)]
    return predictions


def utf8(text: str) -> str:
    """`text` with bytes of a file's name that are not UTF-8 as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
