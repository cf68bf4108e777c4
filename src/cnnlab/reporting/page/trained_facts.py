"""What a run's trained network shows, as plain values for a page: its mistakes, calibration, filters and layers."""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnlab.analysis.trace import trace
from cnnlab.analysis.trace_records import records_of, total_of
from cnnlab.build.objects import network_from_card
from cnnlab.config.folders import data_root
from cnnlab.config.sections import Device, Evaluated
from cnnlab.data.datamodule import ImageDataModule, Subset
from cnnlab.errors import UserError
from cnnlab.explain.calibration import reliability
from cnnlab.explain.class_scores import class_scores
from cnnlab.explain.first_layer import first_filters
from cnnlab.machine.setup import Machine, prepare
from cnnlab.rendering.numbers import percent
from cnnlab.reporting.page.example_maps import example_maps
from cnnlab.reporting.page.run_facts import config_of
from cnnlab.reporting.page.thumbnails import Sheet, sheet_of
from cnnlab.reporting.records import KnownRun
from cnnlab.runs.evaluation import datamodule_of, predict_logits, score
from cnnlab.runs.locate import locate_checkpoint
from cnnlab.runs.predictions import Predictions
from cnnlab.runs.trained_network import Trained, load_trained

PER_CELL = (8, 6, 4, 3, 2, 1)  # mistaken images per cell of the confusion matrix, as many as the budget allows
MOST_FILTERS = 64
SMALLEST_FILTER = 3
EVAL_BATCH = 500
TOLERANCE = 1e-6  # of two accuracies that are the same
FOR_MISTAKES = 0.6  # fraction of the budget; maps and filters are few
AMPLE = 300_000  # bytes, with which a page has MOST_EXAMPLES of right and of mistaken images
MOST_EXAMPLES, FEW_EXAMPLES = 8, 3


def trained_facts(run: KnownRun, budget: int) -> dict[str, Any]:
    """The evaluation and the filters of a run's network, from its checkpoint.

    Args:
        budget: bytes that its images may take.

    Returns:
        `evaluation`, `filters` and `maps`, each None if it cannot be made, and `notes`, which say why.
    """
    facts: dict[str, Any] = {"evaluation": None, "filters": None, "maps": None, "notes": []}
    said = io.StringIO()
    try:
        with redirect_stdout(said):
            trained = load_trained(locate_checkpoint(str(run.folder.path), log_dir=""))
            facts["filters"] = _filters(trained)
            found = _stored(run)
            if found is not None:
                facts["evaluation"] = _evaluation(found, trained.card["classes"])
            data = datamodule_of(_images(run), trained.card)
            found = found or _computed(run, trained, data)
            facts |= _with_images(found, trained, data, budget)
            _compare(facts["evaluation"], run)
    except (UserError, ValueError, RuntimeError, OSError) as error:
        missing = "Its images are not shown" if facts["evaluation"] else "The trained network was not evaluated"
        facts["notes"].append(f"{missing}: {' '.join(str(error).split())}")
    facts["notes"] += [line.removeprefix("note: ") for line in said.getvalue().splitlines()]
    return facts


def _stored(run: KnownRun) -> Predictions | None:
    """What the run predicted in its last evaluation; runs of earlier versions did not keep it."""
    try:
        return Predictions.load(run.folder.predictions) if run.folder.predictions.is_file() else None
    except ValueError as error:
        print(error)
        return None


def _computed(run: KnownRun, trained: Trained, data: ImageDataModule) -> Predictions:
    """The predictions for the test images of a tested run, else for the validation images."""
    split = "test" if run.record.get("test/acc") is not None else "val"
    subset: Subset = getattr(data, split)
    if not len(subset):
        raise UserError("the run was not tested, and has no validation images")
    batches = (images for images, _ in data.eval_dataloader(subset))
    logits = predict_logits(trained, batches, _machine(run), trained.card.get("tta", "none")).float()
    return Predictions.of(split, subset, logits)


def _compare(evaluation: dict[str, Any], run: KnownRun) -> None:
    """Print a note if the evaluation differs from the record, as on another machine or after a limited test."""
    found, recorded = evaluation["accuracy"], run.record.get(f"{evaluation['split']}/acc")
    if recorded is not None and abs(found - recorded) > TOLERANCE:
        print(f"evaluated for this page, {percent(found)} are right; the record has {percent(recorded)}")


def layer_facts(run: KnownRun) -> dict[str, Any] | None:
    """The network of a record layer by layer: `columns`, `rows` and `total`; None if it cannot be traced."""
    try:
        with torch.device("meta"):
            net = network_from_card(run.record)
        arguments = run.record["network"]["arguments"]
        records = records_of(trace(net, arguments["in_channels"], arguments["image_size"]))
    except (UserError, ValueError, KeyError, TypeError):
        return None
    columns = ["name", "kind", "output", "weights", "biases", "macs", "memory", "field"]
    total = total_of(records)
    return {
        "columns": columns,
        "rows": [[record[column] for column in columns] for record in records],
        "total": [total.get(column) for column in columns],
    }


def _images(run: KnownRun) -> Evaluated:
    """Where the run found its images, or else where this machine has its datasets; nothing is downloaded."""
    root = str((config_of(run).get("data") or {}).get("root") or data_root())
    return Evaluated(root=root if Path(root).is_dir() else data_root(), download=False, eval_batch_size=EVAL_BATCH)


def _machine(run: KnownRun) -> Machine:
    """This machine in the precision of the run, so that the same images are mistaken as in its record."""
    try:
        return prepare(Device(precision=run.record.get("precision", "auto")))
    except (ValueError, UserError):
        return prepare(Device())


def _evaluation(found: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    """What the predictions say without the images."""
    confusion = found.confusion()
    return {
        "split": found.split,
        "classes": list(classes),
        "accuracy": confusion.diagonal().sum().item() / len(found.labels),
        "top5": score(found.logits, found.labels, len(classes)).top5,
        "confusion": confusion.tolist(),
        "by_class": _by_class(confusion),
        "calibration": _calibration(found.logits, found.labels),
        "mistakes": _mistakes(found, None, 0),
    }


def _with_images(found: Predictions, trained: Trained, data: ImageDataModule, budget: int) -> dict[str, Any]:
    """The evaluation with the mistaken images, and maps of examples."""
    subset = Subset(data.dataset.test if found.split == "test" else data.dataset.train, found.indices)
    if len(subset) and int(found.indices.max()) >= len(subset.split.labels):
        raise UserError("these are not the images that the run evaluated")
    evaluation = _evaluation(found, trained.card["classes"])
    evaluation["mistakes"] = _mistakes(found, subset, int(FOR_MISTAKES * budget))
    most = MOST_EXAMPLES if budget > AMPLE else FEW_EXAMPLES
    return {"evaluation": evaluation, "maps": example_maps(trained, subset, found.logits.softmax(1), most)}


def _by_class(confusion: Tensor) -> list[list[float]]:
    """Precision, recall, F1 and number of images of each class."""
    scores = class_scores(confusion)
    return torch.stack([scores.precision, scores.recall, scores.f1, confusion.sum(1).double()], dim=1).tolist()


def _calibration(logits: Tensor, labels: Tensor) -> dict[str, Any]:
    """The expected calibration error, and count, mean confidence and accuracy of each bin of confidence."""
    found = reliability(logits, labels)
    rows = torch.stack([found.counts.double(), found.confidence, found.accuracy], dim=1)
    return {"ece": found.error, "bins": rows.tolist()}


def _mistakes(found: Predictions, subset: Subset | None, budget: int) -> dict[str, Any]:
    """The mistaken images, most confident first: a sheet, and true class, predicted class, probability and index each.

    The index is that in the dataset's test or training images. Of each cell of the confusion matrix the most confident
    are kept, as many as fit into `budget` bytes; without a `subset` there is no sheet.
    """
    confidence = found.confidence
    order = found.most_confident_mistakes(len(found.labels)).tolist()
    rows = [
        (int(found.labels[i]), int(found.predicted[i]), round(float(confidence[i]), 4), int(found.indices[i]))
        for i in order
    ]
    shown = _first(rows, PER_CELL[0])
    sheet = _sheet(shown, subset)
    for most in PER_CELL[1:]:
        if sheet is None or len(sheet.url) <= budget:
            break
        shown = _first(rows, most)
        sheet = _sheet(shown, subset)
    while sheet is not None and len(sheet.url) > budget:
        shown = shown[: len(shown) // 2]
        sheet = _sheet(shown, subset)
    return {"total": len(rows), "rows": shown, "sheet": None if sheet is None else asdict(sheet)}


def _sheet(rows: Sequence[tuple[int, int, float, int]], subset: Subset | None) -> Sheet | None:
    if not rows or subset is None:
        return None
    return sheet_of(subset.split.images[torch.tensor([row[3] for row in rows])])


def _first(rows: Sequence[tuple[int, int, float, int]], most: int) -> list[tuple[int, int, float, int]]:
    """The first `most` rows of each pair of a true and a predicted class."""
    seen: dict[tuple[int, int], int] = {}
    shown = []
    for row in rows:
        seen[row[:2]] = seen.get(row[:2], 0) + 1
        if seen[row[:2]] <= most:
            shown.append(row)
    return shown


def _filters(trained: Trained) -> dict[str, Any] | None:
    """The filters of the first convolution, if they are seen as images; gray is zero, each filter has its own scale."""
    try:
        name, weight = first_filters(trained.net, torch.zeros(1, *trained.preprocess.spec.shape))
    except ValueError:
        return None
    if weight.shape[1] not in (1, 3) or weight.shape[2] != weight.shape[3] or weight.shape[2] < SMALLEST_FILTER:
        return None
    shown = weight[:MOST_FILTERS].float()
    scale = shown.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-12)
    pixels = (127.5 + 127.5 * shown / scale).round().to(torch.uint8)
    return {"layer": name, "total": len(weight), "sheet": asdict(sheet_of(pixels, lossless=True))}
