"""A network layer by layer in words: the rows of its trace beside what its authors say each layer is for.

The sentences are facts of the published network and hold no numbers; those come from the trace.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cnnlab.analysis.trace import Row, Trace
from cnnlab.rendering import tables


@dataclass(frozen=True)
class Explanation:
    """
    Attributes:
        title: the document's.
        source: the paper.
        why: a sentence for each row of the trace that has a line of its own; the others join the line before.
        other, other_title: a network of the same layers, with which it is compared, and that part's title.
        difference: what the other does otherwise, and why.
    """

    title: str
    source: str
    why: dict[str, str]
    other: str
    other_title: str
    difference: str


EXPLANATIONS = {
    "alexnet_2012": Explanation(
        title="AlexNet, layer by layer",
        source='Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", '
        "2012.",
        why={
            "conv1": "Neighboring pixels say nearly the same, so a large window in large strides is enough for edges "
            "and colors, and makes the maps small at once.",
            "relu": "Its slope does not vanish for large values as tanh's does, so the network learns several times "
            "faster; it follows every convolution and fully connected layer but the last.",
            "norm1": "Local response normalization: a value is divided by what its neighbor channels answer at the "
            "same place, so that the strongest stand out; VGG found no gain in it and left it out.",
            "pool1": "Overlapping pooling: the window is wider than its stride, which in the paper gave a little less "
            "error and overfitting than windows side by side.",
            "conv2": "Two towers: one graphics card had too little memory, so each half of the kernels lay on a card "
            "of its own and saw only that card's maps, which also halves the weights.",
            "norm2": "As norm1.",
            "pool2": "As pool1; what follows keeps the maps' size.",
            "conv3": "Behind conv1 the only convolution that sees the maps of both towers: here they exchange what "
            "they have found.",
            "conv4": "In two towers again; small windows one upon another see as far as a large one, with a ReLU "
            "between them.",
            "conv5": "In two towers; fewer maps, as each place of each map costs a weight for every unit of fc6.",
            "pool5": "Small maps, for the same reason.",
            "flatten": "A fully connected layer knows no places: the maps become one vector.",
            "fc6": "Each unit sees all places of all maps; it holds most of the network's parameters, and so it is "
            "what overfits first.",
            "dropout6": "In training a random part of these units gives nothing, so that none can rely on another; in "
            "evaluation all take part.",
            "fc7": "Combines what fc6 found anywhere in the picture.",
            "dropout7": "As dropout6; without both the paper saw much overfitting, and with them it needed more steps.",
            "fc8": "A score for each class; the softmax is part of the loss.",
        },
        other="alexnet",
        other_title="In one tower",
        difference='The form of Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014, '
        "as it is mostly built today: every convolution sees all maps of the one before, conv1, conv2 and conv4 make "
        "fewer, and there is no local response normalization. These layers differ:",
    )
}


def document(name: str, taken: Trace, other: Trace, command: str) -> str:
    """The Markdown page, made by `command`, of the network `name` and of the `other` that it is compared with."""
    known = EXPLANATIONS[name]
    lines, others = layer_records(taken, known.why), layer_records(other, known.why)
    facts = (
        ("input", _sides(taken.shape)),
        ("parameters", f"{taken.parameters:,}"),
        ("multiply-accumulates (MACs)", f"{taken.total('macs'):,} an image"),
        ("depth", f"{taken.depth} layers, counting convolutions and fully connected ones"),
        ("dropout acts on", f"{' and '.join(_dropped(taken.rows))}, in training only"),
    )
    parts = (
        f"# {known.title}",
        known.source,
        f"Made by `{command}`: the numbers are those of one recorded pass through the network.",
        "\n".join(f"- {label}: {value}" for label, value in facts),
        tables.render(lines, "markdown"),
        f"## {known.other_title}",
        known.difference,
        tables.render(difference_records((name, lines), (known.other, others)), "markdown"),
    )
    return "\n\n".join(parts)


def layer_records(taken: Trace, why: dict[str, str]) -> list[dict[str, Any]]:
    """A line for each row that `why` has a sentence for, with the rows behind it up to the next."""
    groups: list[list[Row]] = []
    for row in taken.rows:
        if row.name in why:
            groups.append([])
        groups[-1].append(row)
    shapes = [taken.shape, *(group[-1].shape for group in groups)]
    return [
        {
            "layer": group[0].name,
            "function": ", ".join(row.kind for row in group),
            "comes_in": _sides(before),
            "goes_out": _sides(after),
            "parameters": sum(row.weights + row.biases for row in group),
            "macs": sum(row.macs for row in group),
            "why": why[group[0].name],
        }
        for group, (before, after) in zip(groups, pairwise(shapes), strict=True)
    ]


def difference_records(*networks: tuple[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The lines of two networks, by name, for the layers that only one has or that have other parameters."""
    (_, lines), (_, others) = networks
    parameters = [{line["layer"]: line["parameters"] for line in each} for each in (lines, others)]
    differ = [layer for layer in parameters[0] if parameters[0][layer] != parameters[1].get(layer)]
    records = []
    for layer in differ:
        found = [(name, line) for name, each in networks for line in each if line["layer"] == layer]
        for name, line in found:
            shown = {"layer": layer if line is found[0][1] else "", "network": name}
            records.append(
                shown | {key: line[key] for key in ("function", "comes_in", "goes_out", "parameters", "macs")}
            )
    return records


def _dropped(rows: Sequence[Row]) -> list[str]:
    """The layers whose results the rows called dropout take."""
    names, layer = [], ""
    for row in rows:
        if row.weights:
            layer = row.name
        if row.kind.startswith("dropout"):
            names.append(layer)
    return names


def _sides(shape: Sequence[int]) -> str:
    return " x ".join(f"{side:,}" for side in shape)
