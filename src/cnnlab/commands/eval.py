"""`eval`: the accuracy of a trained network, overall and per class, from its checkpoint alone."""

import json
from pathlib import Path
from typing import Any

from cnnlab.augment.views import check_tta
from cnnlab.config.trained import EvalConfig
from cnnlab.data.datamodule import ImageDataModule, Subset
from cnnlab.errors import UserError, checking
from cnnlab.figures.confusion import MOST_LABELED, draw_confusion
from cnnlab.files import write_atomically, writing
from cnnlab.machine.setup import Machine, prepare
from cnnlab.rendering.numbers import percent
from cnnlab.rendering.printable import printable
from cnnlab.rendering.tables import aligned
from cnnlab.runs.evaluation import Evaluation, datamodule_of, predict_logits, score
from cnnlab.runs.trained_network import load_trained


def run(cfg: EvalConfig) -> Evaluation:
    """Rebuild the network of a checkpoint, evaluate it on the images of its data, print and draw the result.

    Raises:
        UserError: the checkpoint or the data does not allow it, or the files cannot be written.
    """
    machine = prepare(cfg.trainer)
    trained = load_trained(cfg.checkpoint)
    card = trained.card
    data = datamodule_of(cfg.data, card)
    tta = card.get("tta", "none") if cfg.tta is None else cfg.tta
    with checking():
        check_tta(tta, data.spec.mirror)
    subset: Subset = getattr(data, cfg.split)
    if not len(subset):
        raise UserError(f"split={cfg.split} has no images: the network was trained with data.val_size=0")
    logits = predict_logits(trained, (images for images, _ in data.eval_dataloader(subset)), machine, tta)
    evaluation = score(logits, subset.labels, len(card["classes"]))
    print(_text(evaluation, card, cfg, data, machine, tta))
    figures = _figures_folder(cfg)
    output = Path(cfg.output) if cfg.output else figures / f"evaluation_{cfg.split}.json"
    title = f"{card['network']['name']} on {card['data']['name']}, {cfg.split}: {percent(evaluation.accuracy)}"
    with writing(f"output={output}"):
        _write(evaluation, card, cfg.split, tta, output)
    with writing(f"figures={figures}"):
        figure = draw_confusion(evaluation.confusion, card["classes"], title, figures / f"confusion_{cfg.split}.png")
    print(f"\nfigure  {figure}\nresult  {output}")
    return evaluation


def _figures_folder(cfg: EvalConfig) -> Path:
    """`figures`, or the run's figures, or the checkpoint's folder if it is not in a run folder."""
    if cfg.figures is not None:
        return Path(cfg.figures)
    folder = Path(cfg.checkpoint).parent
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


def _text(
    evaluation: Evaluation,
    card: dict[str, Any],
    cfg: EvalConfig,
    data: ImageDataModule,
    machine: Machine,
    tta: str,
) -> str:
    """Totals, one row per class, and the confusion matrix if it fits."""
    total = int(evaluation.confusion.sum())
    rows = [
        ("network", f"{card['network']['name']}, from {cfg.checkpoint}"),
        ("data", f"{data.name} from {data.dataset.source}: {total:,} {cfg.split} images"),
        ("device", f"{machine.device}, {machine.threads} threads, {machine.precision}"),
        ("views", tta),
        ("accuracy", percent(evaluation.accuracy)),
        *([("top-5 accuracy", percent(evaluation.top5))] if evaluation.top5 is not None else []),
    ]
    return f"{aligned(rows)}\n\n{_class_table(evaluation, card['classes'])}"


def _class_table(evaluation: Evaluation, classes: list[str]) -> str:
    """True classes in rows; predicted classes in columns, by number, if there are few enough."""
    n, classes = len(classes), [printable(name) for name in classes]
    width = max(5, *(len(name) for name in classes))
    cell = max(4, len(str(int(evaluation.confusion.max()))) + 1)
    with_matrix = n <= MOST_LABELED
    head = f"{'':>3} {'class':<{width}}  images  accuracy"
    if with_matrix:
        head += "  predicted" + "".join(f"{i:>{cell}}" for i in range(n))
    lines = [head]
    for i, (name, accuracy) in enumerate(zip(classes, evaluation.by_class, strict=True)):
        counts = evaluation.confusion[i].tolist()
        line = f"{i:>3} {name:<{width}}  {sum(counts):>6}  {percent(accuracy):>8}"
        if with_matrix:
            line += " " * 11 + "".join(f"{count or '.':>{cell}}" for count in counts)
        lines.append(line)
    return "\n".join(lines)
