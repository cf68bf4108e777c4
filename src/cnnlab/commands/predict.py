"""`predict`: the classes of image files, by a trained network."""

import sys
import warnings
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from cnnlab.config.trained import PredictConfig
from cnnlab.errors import UserError, checking
from cnnlab.figures.confusion import MOST_LABELED
from cnnlab.figures.style import save
from cnnlab.files import writing
from cnnlab.machine.setup import prepare
from cnnlab.predict.contact_sheet import ContactSheet
from cnnlab.predict.image_paths import ImagePaths, find_images
from cnnlab.predict.overlays import Overlays
from cnnlab.predict.prediction import PredictedBatch, Prediction, Predictor, Seconds
from cnnlab.predict.rows import changes_in, first_of, plain_rows, readable_rows, utf8
from cnnlab.predict.true_labels import accuracy_of, true_labels
from cnnlab.rendering import tables
from cnnlab.rendering.class_table import class_table
from cnnlab.rendering.numbers import percent, speed
from cnnlab.runs.evaluation import Evaluation, views_of
from cnnlab.runs.trained_network import load_network, load_trained

FEW = 200  # files that are predicted before anybody could read a progress bar


def run(cfg: PredictConfig) -> None:
    """Predict the classes of `cfg.images`, and print or write them.

    Raises:
        UserError: there are no images, the checkpoint cannot be used, a file cannot be written, or some images could
            not be read, which is raised after the others are predicted.
    """
    paths, predictor = _prepared(cfg)
    classes, seconds = predictor.trained.classes, Seconds()
    sheet = ContactSheet(len(paths.files) if cfg.contact_sheet else 0)
    overlays = Overlays(predictor, cfg.explain, Path(cfg.figures)) if cfg.explain else None
    predictions = _predict(predictor, paths, cfg.top, seconds, sheet, overlays)
    labels = true_labels(paths.files, classes)
    evaluation = accuracy_of(predictions, labels, len(classes))
    for_people = cfg.format in tables.READ_BY_PEOPLE
    out = sys.stdout if for_people or cfg.output else sys.stderr
    print(_facts(cfg, paths, predictor, predictions, seconds), file=out)
    if for_people and cfg.output is None:
        print()
    _show(cfg, predictor, predictions, evaluation)
    if evaluation is not None:
        print(f"\n{_accuracy(evaluation, len(paths.files), classes)}", file=out)
    if cfg.contact_sheet:
        title = f"{predictor.trained.name}: {len(sheet.pixels):,} of {len(paths.files):,} images"
        with writing(f"figures={cfg.figures}"):
            path = save(sheet.draw(predictions, labels, classes, title), Path(cfg.figures) / "contact_sheet.png")
        print(f"\nfigure  {path}", file=out)
    if overlays is not None:
        print(f"\n{len(overlays.paths):,} overlays of {cfg.explain} in {cfg.figures}", file=out)
    unreadable = [prediction for prediction in predictions if not prediction.is_readable]
    if unreadable:
        first = unreadable[0]
        raise UserError(
            f"{len(unreadable):,} of {len(predictions):,} images cannot be read, such as {utf8(first.file)}: "
            f"{first.notes[0].removeprefix('unreadable: ')}"
        )


def _prepared(cfg: PredictConfig) -> tuple[ImagePaths, Predictor]:
    """The files and the network; whatever can be wrong with the arguments is found here."""
    machine = prepare(cfg.trainer)
    looks_inside = f"explain={cfg.explain}"
    trained = load_network(cfg.checkpoint, looks_inside) if cfg.explain else load_trained(cfg.checkpoint)
    tta = views_of(trained, cfg.tta)
    with checking():
        paths = find_images(cfg.images)
    if cfg.output is not None:
        with writing(f"output={cfg.output}"):
            Path(cfg.output).parent.mkdir(parents=True, exist_ok=True)
            if Path(cfg.output).is_dir():
                raise IsADirectoryError(None, "it is a folder")
    if cfg.contact_sheet or cfg.explain:
        with writing(f"figures={cfg.figures}"):
            Path(cfg.figures).mkdir(parents=True, exist_ok=True)
    return paths, Predictor(trained, machine, cfg.fit, cfg.invert, tta, cfg.batch_size)


def _predict(
    predictor: Predictor, paths: ImagePaths, top: int, seconds: Seconds, sheet: ContactSheet, overlays: Overlays | None
) -> list[Prediction]:
    console = Console(stderr=True)
    quiet = not console.is_terminal or len(paths.files) < FEW
    predictions: list[Prediction] = []
    with warnings.catch_warnings(), Progress(console=console, transient=True, disable=quiet) as progress:
        warnings.filterwarnings("ignore", module=r"PIL\.")  # about files that it reads nevertheless
        task = progress.add_task("predicting", total=len(paths.files))
        for batch in predictor.batches(paths.files, seconds):
            for position, image in enumerate(batch.images, start=len(predictions)):
                sheet.add(position, image.pixels)
            found = batch.predictions(top)
            predictions += found
            if overlays is not None:
                _draw(overlays, batch, found)
            progress.update(task, completed=len(predictions))
    return predictions


def _draw(overlays: Overlays, batch: PredictedBatch, predictions: list[Prediction]) -> None:
    try:
        with writing(f"figures={overlays.folder}"):
            overlays.draw(batch, predictions)
    except ValueError as error:
        raise UserError(str(error).replace("method=", "explain=")) from error


def _facts(
    cfg: PredictConfig, paths: ImagePaths, predictor: Predictor, predictions: list[Prediction], seconds: Seconds
) -> str:
    left_out = str(paths.left_out)
    total, readable = len(predictions), sum(prediction.is_readable for prediction in predictions)
    unreadable = f", {total - readable:,} of them unreadable" if readable < total else ""
    changes = ", ".join(f"{count:,} {change}" for change, count in changes_in(predictions).items())
    times = (("decoding", seconds.decoding, total), ("forward pass", seconds.forward, readable))
    rows = [
        ("network", f"{predictor.trained.name}, from {cfg.checkpoint}"),
        ("images", f"{total:,} files{unreadable}"),
        *([("left out", utf8(left_out))] if left_out else []),
        *([("changed", changes)] if changes else []),
        ("device", str(predictor.machine)),
        *([("views", predictor.tta)] if predictor.tta != "none" else []),
        *((name, f"{spent:.2f} s, {speed(count / max(spent, 1e-9))} images/s") for name, spent, count in times),
    ]
    return tables.aligned(rows)


def _show(
    cfg: PredictConfig, predictor: Predictor, predictions: list[Prediction], evaluation: Evaluation | None
) -> None:
    """Print or write the table; in the terminal, people get its beginning."""
    classes = predictor.trained.classes
    if cfg.format not in tables.READ_BY_PEOPLE:
        facts: dict[str, Any] = {"network": predictor.trained.name, "checkpoint": cfg.checkpoint}
        if evaluation is not None:
            facts |= {"accuracy": evaluation.accuracy, "confusion": evaluation.confusion.tolist()}
        tables.emit(tables.render(plain_rows(predictions, classes), cfg.format, facts=facts), cfg.output)
        return
    shown = first_of(predictions) if cfg.output is None else predictions
    rows = readable_rows(shown, classes)
    if not any(row["notes"] for row in rows):
        rows = [{name: value for name, value in row.items() if name != "notes"} for row in rows]
    tables.emit(tables.render(rows, cfg.format, numbers=("rank", "probability")), cfg.output)
    if len(shown) < len(predictions):
        print(f"... and {len(predictions) - len(shown):,} more images; all of them: format=csv output=FILE")


def _accuracy(evaluation: Evaluation, total: int, classes: tuple[str, ...]) -> str:
    count = int(evaluation.confusion.sum())
    head = f"accuracy  {percent(evaluation.accuracy)} of {count:,} images in folders named by class"
    if count < total:
        head += f"; {total - count:,} others"
    table = class_table(evaluation.confusion.tolist(), classes, with_matrix=len(classes) <= MOST_LABELED)
    return f"{head}\n\n{table}"
