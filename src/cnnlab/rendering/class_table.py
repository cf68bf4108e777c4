"""Accuracy by class, and the confusion matrix, as text."""

from collections.abc import Sequence

from cnnlab.rendering.numbers import percent
from cnnlab.rendering.printable import printable


def class_table(confusion: Sequence[Sequence[int]], classes: Sequence[str], with_matrix: bool) -> str:
    """One row per true class; predicted classes stand in columns, by number.

    Args:
        confusion: number of images by true and predicted class.
        with_matrix: False for so many classes that the columns would be too wide; classes without images have no row.
    """
    n, classes = len(classes), [printable(name) for name in classes]
    width = max(5, *(len(name) for name in classes))
    cell = max(4, len(str(max(map(max, confusion)))) + 1)
    head = f"{'':>3} {'class':<{width}}  images  accuracy"
    if with_matrix:
        head += "  predicted" + "".join(f"{i:>{cell}}" for i in range(n))
    lines = [head]
    for i, (name, counts) in enumerate(zip(classes, confusion, strict=True)):
        total = sum(counts)
        if not total and not with_matrix:
            continue
        accuracy = percent(counts[i] / total) if total else ""
        line = f"{i:>3} {name:<{width}}  {total:>6}  {accuracy:>8}"
        if with_matrix:
            line += " " * 11 + "".join(f"{count or '.':>{cell}}" for count in counts)
        lines.append(line)
    return "\n".join(map(str.rstrip, lines))
