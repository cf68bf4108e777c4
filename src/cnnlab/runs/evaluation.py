"""What a trained network knows: overall, by class, and what it takes for what; from the checkpoint alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_confusion_matrix

from cnnlab.augment.pipeline import normalize
from cnnlab.augment.views import check_tta, logits_of_views
from cnnlab.build import objects as build
from cnnlab.data.datamodule import ImageDataModule, Subset
from cnnlab.errors import UserError, one_of
from cnnlab.figures.confusion import MOST_LABELED, draw_confusion
from cnnlab.files import write_atomically, writing
from cnnlab.machine.setup import Machine, prepare
from cnnlab.rendering.numbers import percent
from cnnlab.rendering.tables import aligned
from cnnlab.runs.checkpoint import read_checkpoint

SPLITS = ("test", "val", "train")


@dataclass
class Evaluation:
    """Accuracies in [0, 1]; `confusion` counts (true class, predicted class)."""

    accuracy: float
    top5: float | None
    confusion: Tensor

    @property
    def by_class(self) -> list[float]:
        return (self.confusion.diagonal() / self.confusion.sum(1).clamp(min=1)).tolist()


def evaluate(cfg: DictConfig) -> Evaluation:
    """Rebuild the network of a checkpoint, evaluate it on the images of its data, print and draw the result.

    Raises:
        UserError: the checkpoint or the data does not allow it, or the files cannot be written.
    """
    one_of("split", cfg.split, SPLITS)
    machine = prepare(cfg.trainer)
    checkpoint = read_checkpoint(cfg.checkpoint)
    card = checkpoint["cnnlab"]
    net = trained_network(checkpoint)
    data = datamodule_of(cfg, card)
    tta = card.get("tta", "none") if cfg.tta is None else cfg.tta
    check_tta(tta, data.spec.mirror)
    subset: Subset = getattr(data, cfg.split)
    if not len(subset):
        raise UserError(f"split={cfg.split} has no images: the network was trained with data.val_size=0")
    logits = predict_logits(net, data, subset, machine, tta)
    evaluation = score(logits, subset.labels, len(card["classes"]))
    print(evaluation_text(evaluation, card, cfg, data, machine, tta))
    output = _output_folder(cfg)
    title = f"{card['network']['name']} on {card['data']['name']}, {cfg.split}: {percent(evaluation.accuracy)}"
    with writing(f"output={output}"):
        _write(evaluation, card, cfg.split, tta, output / f"evaluation_{cfg.split}.json")
        picture = draw_confusion(evaluation.confusion, card["classes"], title, output / f"confusion_{cfg.split}.png")
    print(f"\npicture  {picture}")
    return evaluation


def trained_network(checkpoint: dict[str, Any]) -> nn.Module:
    """The checkpoint's network with its weights, in evaluation mode.

    Raises:
        UserError: the weights are another network's than the one it names.
    """
    net = build.network_of_card(checkpoint["cnnlab"])
    weights = {name.removeprefix("net."): value for name, value in checkpoint["state_dict"].items()}
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        name = checkpoint["cnnlab"]["network"]["name"]
        raise UserError(f"the checkpoint's weights are not those of its network {name}: {error}") from error
    return net.eval().to(memory_format=torch.channels_last)


def datamodule_of(cfg: DictConfig, card: dict[str, Any]) -> ImageDataModule:
    """The data that a card names, split as for training, and normalized as its network needs it."""
    split = {key: value for key, value in card["data"].items() if key != "fingerprint"}
    options = split | {"image_size": card["image_size"]} | OmegaConf.to_container(cfg.data)  # type: ignore[operator]
    data = build.datamodule(OmegaConf.create({"data": options | {"batch_size": 1}}))
    if data.dataset.fingerprint != card["data"]["fingerprint"]:
        print(f"note: these are other pictures of {data.name} than those it was trained on ({data.dataset.source})")
    if list(data.dataset.classes) != card["classes"]:
        raise UserError(
            f"the network knows the classes {card['classes']}, and {data.name} under {data.root} has "
            f"{list(data.dataset.classes)}"
        )
    data.dataset.mean, data.dataset.std = tuple(card["mean"]), tuple(card["std"])  # the network's own normalization
    return data


def predict_logits(
    net: nn.Module, data: ImageDataModule, subset: Subset, machine: Machine, tta: str = "none"
) -> Tensor:
    """Logits (N, num_classes) of all images of `subset`, in their order, on the CPU; means over the views of `tta`."""
    net = net.to(machine.device)
    with torch.inference_mode(), machine.autocast():
        batches = [
            logits_of_views(net, normalize(images.to(machine.device), data.spec), tta)
            for images, _ in data.eval_dataloader(subset)
        ]
    return torch.cat(batches).cpu()


def score(logits: Tensor, labels: Tensor, num_classes: int) -> Evaluation:
    """Compare logits (N, num_classes) with labels (N,); no top-5 accuracy where there are five classes or fewer."""
    top5 = (
        multiclass_accuracy(logits, labels, num_classes, average="micro", top_k=5).item() if num_classes > 5 else None
    )
    accuracy = multiclass_accuracy(logits, labels, num_classes, average="micro").item()
    return Evaluation(accuracy, top5, multiclass_confusion_matrix(logits, labels, num_classes))


def _output_folder(cfg: DictConfig) -> Path:
    """`output`, or the run's figures, or the checkpoint's own folder where it lies outside a run."""
    if cfg.output is not None:
        return Path(cfg.output)
    folder = Path(cfg.checkpoint).parent
    return folder.parent / "figures" if (folder.parent / "result.json").exists() else folder


def _write(evaluation: Evaluation, card: dict[str, Any], split: str, tta: str, path: Path) -> None:
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


def evaluation_text(
    evaluation: Evaluation,
    card: dict[str, Any],
    cfg: DictConfig,
    data: ImageDataModule,
    machine: Machine,
    tta: str,
) -> str:
    """The result as text: totals, a row a class, and the confusion matrix where it fits."""
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
    """True classes in rows; predicted classes in columns, by number, where there are few enough."""
    n = len(classes)
    width = max(5, *(len(name) for name in classes))
    cell = max(4, len(str(int(evaluation.confusion.max()))) + 1)
    with_matrix = n <= MOST_LABELED
    head = f"{'':>3} {'class':<{width}}  images  accuracy"
    if with_matrix:
        head += "  taken for" + "".join(f"{i:>{cell}}" for i in range(n))
    lines = [head]
    for i, (name, accuracy) in enumerate(zip(classes, evaluation.by_class, strict=True)):
        counts = evaluation.confusion[i].tolist()
        line = f"{i:>3} {name:<{width}}  {sum(counts):>6}  {percent(accuracy):>8}"
        if with_matrix:
            line += " " * 11 + "".join(f"{count or '.':>{cell}}" for count in counts)
        lines.append(line)
    return "\n".join(lines)
