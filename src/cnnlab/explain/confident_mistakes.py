"""The most confident mistakes of a network, by class."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Mistake:
    """One image with another predicted class than its own.

    Attributes:
        index: position of the image among those evaluated.
        label: the true class.
        predicted: the predicted class.
        probability: of the predicted class.
    """

    index: int
    label: int
    predicted: int
    probability: float


def confident_mistakes(logits: Tensor, labels: Tensor, per_class: int) -> list[Mistake]:
    """At most `per_class` mistakes of each true class, in the order of the classes, the most confident first.

    Args:
        logits: (N, num_classes).
        labels: (N,) true classes.
        per_class: number of mistakes.
    """
    probabilities, predicted = logits.double().softmax(1).max(1)
    wrong = (predicted != labels).nonzero()[:, 0].tolist()
    found: dict[int, list[Mistake]] = {label: [] for label in range(logits.shape[1])}
    for index in sorted(wrong, key=lambda i: -float(probabilities[i])):
        label = int(labels[index])
        found[label].append(Mistake(index, label, int(predicted[index]), float(probabilities[index])))
    return [mistake for mistakes in found.values() for mistake in mistakes[:per_class]]
