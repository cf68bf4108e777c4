"""`eval`: the accuracy of a trained network from its checkpoint alone, overall and per class, or two compared."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from cnnlab.config.trained import EvalConfig
from cnnlab.data.datamodule import ImageDataModule, Subset
from cnnlab.errors import UserError
from cnnlab.figures.confusion import MOST_LABELED, draw_confusion
from cnnlab.files import write_atomically, writing
from cnnlab.machine.setup import Machine, prepare
from cnnlab.predict.comparison import compare
from cnnlab.predict.comparison_text import comparison_text
from cnnlab.predict.per_image import write_pair, write_per_image
from cnnlab.rendering.class_table import class_table
from cnnlab.rendering.numbers import percent
from cnnlab.rendering.tables import aligned
from cnnlab.runs.evaluation import Evaluation, datamodule_of, predict_logits, score, views_of
from cnnlab.runs.locate import PRETRAINED
from cnnlab.runs.trained_network import Trained, load_trained


@dataclass(frozen=True)
class Evaluated:
    """One network on the images of its data."""

    checkpoint: str
    trained: Trained
    data: ImageDataModule
    subset: Subset
    tta: str
    logits: Tensor
    evaluation: Evaluation


def run(cfg: EvalConfig) -> Evaluation:
    """Rebuild the network of a checkpoint, evaluate it on the images of its data, print and draw the result.

    Two networks are compared on the same images; the result is that of the first.

    Raises:
        UserError: the checkpoint or the data does not allow it, or the files cannot be written.
    """
    machine = prepare(cfg.trainer)
    if isinstance(cfg.checkpoint, list):
        first, second = (_evaluated(cfg, checkpoint, machine) for checkpoint in cfg.checkpoint)
        _compare(cfg, first, second, machine)
        return first.evaluation
    result = _evaluated(cfg, cfg.checkpoint, machine)
    evaluation, card = result.evaluation, result.trained.card
    print(_text(result, cfg.split, machine))
    figures = _figures_folder(cfg, cfg.checkpoint)
    output = Path(cfg.output) if cfg.output else figures / f"evaluation_{cfg.split}.json"
    per_image = output.with_name(f"predictions_{cfg.split}.csv")
    title = f"{card['network']['name']} on {card['data']['name']}, {cfg.split}: {percent(evaluation.accuracy)}"
    with writing(f"output={output}"):
        _write(evaluation, card, cfg.split, result.tta, output)
        write_per_image(per_image, result.subset.indices, result.subset.labels, result.logits)
    with writing(f"figures={figures}"):
        figure = draw_confusion(evaluation.confusion, card["classes"], title, figures / f"confusion_{cfg.split}.png")
    print(f"\nfigure  {figure}\nresult  {output}\nimages  {per_image}")
    return evaluation


def _evaluated(cfg: EvalConfig, checkpoint: str, machine: Machine) -> Evaluated:
    trained = load_trained(checkpoint)
    card = trained.card
    data = datamodule_of(cfg.data, card)
    tta = views_of(trained, cfg.tta)
    subset: Subset = getattr(data, cfg.split)
    if not len(subset):
        raise UserError(f"split={cfg.split} has no images: the network was trained with data.val_size=0")
    logits = predict_logits(trained, (images for images, _ in data.eval_dataloader(subset)), machine, tta)
    evaluation = score(logits, subset.labels, len(card["classes"]))
    return Evaluated(checkpoint, trained, data, subset, tta, logits, evaluation)


def _figures_folder(cfg: EvalConfig, checkpoint: str) -> Path:
    """`figures`, or the run's figures, or the checkpoint's folder if it is not in a run folder."""
    if cfg.figures is not None:
        return Path(cfg.figures)
    folder = Path(checkpoint).parent
    if folder == PRETRAINED:  # of the package, where nothing is written
        return Path(cfg.log_dir) / "pretrained" / Path(checkpoint).stem
    return folder.parent / "figures" if (folder.parent / "result.json").exists() else folder


def _write(evaluation: Evaluation, card: dict[str, Any], split: str, tta: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "network": card["network"],
        "data": card["data"],
        "split": split,
        "tta": tta,
        "accuracy": evaluation.accuracy,
        "top5": evaluation.top5,
        "by_class": dict(zip(card["classes"], evaluation.by_class, strict=True)),
        "confusion": evaluation.confusion.tolist(),
    }
    write_atomically(path, json.dumps(content, indent=2) + "\n")


def _images(result: Evaluated, split: str) -> str:
    return f"{result.data.name} from {result.data.dataset.source}: {len(result.subset):,} {split} images"


def _text(result: Evaluated, split: str, machine: Machine) -> str:
    """Totals, one row per class, and the confusion matrix if it fits."""
    evaluation, card = result.evaluation, result.trained.card
    rows = [
        ("network", f"{card['network']['name']}, from {result.checkpoint}"),
        ("data", _images(result, split)),
        ("device", str(machine)),
        ("views", result.tta),
        ("accuracy", percent(evaluation.accuracy)),
        *([("top-5 accuracy", percent(evaluation.top5))] if evaluation.top5 is not None else []),
    ]
    with_matrix = len(card["classes"]) <= MOST_LABELED
    return f"{aligned(rows)}\n\n{class_table(evaluation.confusion.tolist(), card['classes'], with_matrix)}"


def _compare(cfg: EvalConfig, first: Evaluated, second: Evaluated, machine: Machine) -> None:
    """Print and write what the predictions of two networks for the same images say about their difference."""
    if (
        first.data.name != second.data.name
        or first.data.dataset.classes != second.data.dataset.classes
        or not first.subset.indices.equal(second.subset.indices)
        or not first.subset.labels.equal(second.subset.labels)
    ):
        images = [_images(result, cfg.split) for result in (first, second)]
        raise UserError(f"two networks are compared on the same images, got {images[0]}, and {images[1]}")
    guess_a, guess_b = first.logits.argmax(1), second.logits.argmax(1)
    comparison = compare(guess_a, guess_b, first.subset.labels)
    named = zip("AB", (first, second), strict=True)
    rows = [
        *((name, f"{r.trained.name}, from {r.checkpoint}: {percent(r.evaluation.accuracy)}") for name, r in named),
        ("data", _images(first, cfg.split)),
        ("device", str(machine)),
    ]
    print(f"{aligned(rows)}\n\n{comparison_text(comparison)}")
    output = _figures_folder(cfg, first.checkpoint) / f"comparison_{cfg.split}.json"
    output = Path(cfg.output) if cfg.output else output
    networks = [{"checkpoint": r.checkpoint, "accuracy": r.evaluation.accuracy} for r in (first, second)]
    content = {"split": cfg.split, "networks": networks, **asdict(comparison)}
    with writing(f"output={output}"):
        output.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(output, json.dumps(content, indent=2) + "\n")
        write_pair(output.with_suffix(".csv"), first.subset.indices, first.subset.labels, guess_a, guess_b)
    print(f"\nresult  {output}\nimages  {output.with_suffix('.csv')}")
