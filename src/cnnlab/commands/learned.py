"""The parts of `explain` that show what a network has learned: each draws a figure and returns facts and text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torchmetrics.functional.classification import multiclass_confusion_matrix

from cnnlab.analysis.field import Field
from cnnlab.commands.explained import Explained
from cnnlab.explain.calibration import reliability
from cnnlab.explain.class_scores import class_scores
from cnnlab.explain.confident_mistakes import Mistake, confident_mistakes
from cnnlab.explain.exciting import excitation_of
from cnnlab.explain.first_layer import first_filters
from cnnlab.explain.last_map import field_of_last_map
from cnnlab.explain.stages import stages_of
from cnnlab.figures.feature_maps import CHANNELS, draw_feature_maps
from cnnlab.figures.first_layer_filters import MOST, draw_first_filters
from cnnlab.figures.image_rows import Box, ImageRow, draw_image_rows
from cnnlab.figures.reliability_diagram import draw_reliability
from cnnlab.figures.scores_by_class import draw_scores
from cnnlab.rendering import tables
from cnnlab.rendering.numbers import percent

UNITS, PER_UNIT = 8, 8  # of show=excite
PER_CLASS, MOST_CLASSES = 6, 20  # of show=mistakes


@dataclass(frozen=True)
class Part:
    """One part of the answer.

    Attributes:
        text: to print.
        figures: files.
        facts: for `explain.json`.
    """

    text: str
    figures: list[Path]
    facts: dict[str, Any]


def filters(work: Explained) -> Part:
    """The filters of the first convolution.

    Raises:
        ValueError: the network has none.
    """
    spec = work.trained.preprocess.spec
    name, weight = first_filters(work.net, torch.zeros(1, *spec.shape, device=work.machine.device))
    count, channels, height, width = weight.shape
    some = f"the first {MOST} of {count}" if count > MOST else f"{count}"
    title = f"{some} filters {height}x{width} of {name}, {work.trained.name}"
    path = draw_first_filters(weight, title, work.folder / "filters.png")
    text = f"{name}: {some} filters of {channels} x {height} x {width}, largest weight {float(weight.abs().max()):.3g}"
    return Part(text, [path], {"layer": name, "shape": list(weight.shape)})


def features(work: Explained) -> Part:
    """The strongest feature maps of the first image, stage by stage.

    Raises:
        ValueError: the network has no feature maps.
    """
    shown = work.images[0]
    x = work.normalized(shown.pixels[None])
    stages = stages_of(work.net, x)
    rows = {}
    for stage in stages:
        channels = stage.strongest(CHANNELS)
        count, height, width = stage.maps.shape
        rows[f"{stage.name}\n{count} x {height} x {width}"] = (channels, stage.maps[channels].float())
    which = (
        f"that vary most over {Path(shown.name).name}, each on its own scale (gray from 0 up; blue below 0, red above)"
    )
    title = f"Feature maps {which}; {work.trained.name}"
    path = draw_feature_maps(work.visible(x)[0], rows, title, work.folder / f"features_{shown.file_name}.png")
    text = f"{shown.name}: {', '.join(stage.name for stage in stages)}"
    return Part(text, [path], {stage.name: {"shape": list(stage.maps.shape)} for stage in stages})


def excite(work: Explained) -> Part:
    """The images that excite units of the last map most, with the pixels that the unit sees.

    Raises:
        ValueError: the network has no feature maps, or not these units.
    """
    found = excitation_of(work.net, work.batches())
    last = found.values.shape[1] - 1
    units = work.cfg.units or found.most_selective(UNITS)
    if max(units) > last:
        raise ValueError(f"units must be from 0 to {last}, the channels of the last feature map, got {max(units)}")
    field = field_of_last_map(work.net, work.normalized(work.subset[torch.tensor([0])][0]))
    rows, facts = [], {}
    for unit in units:
        indices = found.images(unit, PER_UNIT)
        pixels, labels = work.subset[torch.tensor(indices)]
        visible = work.visible(work.normalized(pixels))
        captions = [work.trained.classes[label] for label in labels.tolist()]
        places = found.positions[indices, unit].tolist()
        boxes = [] if field is None else [_box(field, row, column, visible.shape[2]) for row, column in places]
        rows.append(ImageRow(f"unit {unit}", visible, captions, boxes))
        facts[str(unit)] = [{"image": index, "activation": float(found.values[index, unit])} for index in indices]
    frames = _frames(field, work.trained.preprocess.spec.image_size)
    title = f"{work.cfg.split.capitalize()} images that excite units of the last map most{frames}; {work.trained.name}"
    path = draw_image_rows(rows, title, work.folder / "exciting.png")
    lines = [f"unit {row.name.split()[1]:>4}: {', '.join(row.captions)}" for row in rows]
    return Part("\n".join(lines), [path], facts)


def _box(field: Field, row: int, column: int, side: int) -> Box:
    """The pixels that a unit sees; the middle of them, one step of the map wide, if that is the whole image."""
    ends = []
    for axis, place in zip(field.axes, (row, column), strict=True):
        length = axis.jump if _sees_all(field, side) else axis.size
        middle = axis.start + place * axis.jump
        ends.append((middle - length / 2, middle + length / 2))
    (top, bottom), (left, right) = ends
    return top, left, bottom, right


def _sees_all(field: Field, side: int) -> bool:
    return min(axis.size for axis in field.axes) >= side


def _frames(field: Field | None, side: int) -> str:
    """What the frames in the images are."""
    if field is None:
        return ""
    return ", and where" if _sees_all(field, side) else ", and the pixels that they see"


def mistakes(work: Explained) -> Part:
    """The most confident mistakes of each class."""
    classes, labels = work.trained.classes, work.subset.labels
    found = confident_mistakes(work.logits, labels, PER_CLASS)
    if not found:
        return Part("no mistakes", [], {"mistakes": []})
    by_class: dict[int, list[Mistake]] = {}
    for mistake in found:
        by_class.setdefault(mistake.label, []).append(mistake)
    shown = sorted(by_class, key=lambda label: -by_class[label][0].probability)[:MOST_CLASSES]
    rows = []
    for label in sorted(shown):
        pixels, _ = work.subset[torch.tensor([mistake.index for mistake in by_class[label]])]
        captions = [f"as {classes[m.predicted]}, {100 * m.probability:.0f} %" for m in by_class[label]]
        rows.append(ImageRow(classes[label], pixels, captions))
    which = "by true class"
    if len(by_class) > len(shown):
        which = f"of {len(shown)} of {len(by_class)} true classes, those with the most confident ones"
    title = f"Most confident mistakes {which}; {work.trained.name}, {work.cfg.split}"
    path = draw_image_rows(rows, title, work.folder / "mistakes.png")
    wrong = int((work.logits.argmax(1) != labels).sum())
    worst = max(found, key=lambda mistake: mistake.probability)
    text = (
        f"wrong: {wrong:,} of {len(labels):,} {work.cfg.split} images; the most confident: image {worst.index}, "
        f"{classes[worst.label]} as {classes[worst.predicted]}, {percent(worst.probability)}"
    )
    return Part(text, [path], {"wrong": wrong, "mistakes": [vars(mistake) for mistake in found]})


def calibration(work: Explained) -> Part:
    """The reliability diagram and the expected calibration error."""
    found = reliability(work.logits, work.subset.labels)
    title = f"Expected calibration error {percent(found.error)}; {work.trained.name}, {work.cfg.split}"
    path = draw_reliability(found.counts, found.confidence, found.accuracy, title, work.folder / "reliability.png")
    much = percent(abs(found.overconfidence))
    tendency = f"overconfident by {much}" if found.overconfidence > 0 else f"underconfident by {much}"
    text = f"expected calibration error {percent(found.error)} in {len(found.counts)} bins; on average {tendency}"
    facts = {
        "expected_calibration_error": found.error,
        "overconfidence": found.overconfidence,
        "counts": found.counts.tolist(),
        "confidence": found.confidence.tolist(),
        "accuracy": found.accuracy.tolist(),
    }
    return Part(text, [path], facts)


def scores(work: Explained) -> Part:
    """Precision, recall and F1 of each class and macro-averaged."""
    classes, labels = work.trained.classes, work.subset.labels
    found = class_scores(multiclass_confusion_matrix(work.logits, labels, len(classes)))
    by_name = {"precision": found.precision, "recall": found.recall, "F1": found.f1}
    values = [dict(zip(by_name, row, strict=True)) for row in zip(*(v.tolist() for v in by_name.values()), strict=True)]
    macro = dict(zip(by_name, found.macro, strict=True))
    title = f"Macro F1 {percent(found.macro[2])}; {work.trained.name}, {work.cfg.split}"
    path = draw_scores(by_name, classes, title, work.folder / "scores.png")
    rows = [{"class": name} | _percentages(row) for name, row in zip(classes, values, strict=True)]
    text = tables.render(rows, "table", total={"class": "macro"} | _percentages(macro), numbers=by_name)
    return Part(text, [path], {"macro": macro, "by_class": dict(zip(classes, values, strict=True))})


def _percentages(values: dict[str, float]) -> dict[str, str]:
    return {name: percent(value) for name, value in values.items()}
