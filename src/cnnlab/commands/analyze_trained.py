"""A trained network taken apart: its table, the statistics of its layers, its scores over a picture."""

from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from cnnlab.analysis.convolutionize import convolutionize
from cnnlab.analysis.statistics import statistics_records
from cnnlab.analysis.trace import trace
from cnnlab.augment.pipeline import normalize
from cnnlab.commands.analyze import FORM, Form, show_network
from cnnlab.data.image_folders import read_image
from cnnlab.data.images import SourceError
from cnnlab.errors import UserError
from cnnlab.figures.class_map import draw_class_map
from cnnlab.files import writing
from cnnlab.image_spec import ImageSpec
from cnnlab.machine.setup import keep_freed_memory, set_threads
from cnnlab.rendering import tables
from cnnlab.runs.checkpoint import read_checkpoint
from cnnlab.runs.evaluation import datamodule_of, trained_network


def analyze_trained(cfg: DictConfig) -> None:
    """Show the network of `checkpoint`, its weights and its activations on validation images of its data.

    Raises:
        UserError: the checkpoint, its data or the picture does not allow it.
    """
    given = [name for name in FORM if cfg[name] is not None]
    if given or cfg.data.name is not None:
        raise UserError(f"a checkpoint says its own form, so {', '.join(given) or 'data'} cannot be given with it")
    keep_freed_memory()
    set_threads(cfg.trainer.threads)
    checkpoint = read_checkpoint(cfg.checkpoint)
    card = checkpoint["cnnlab"]
    net = trained_network(checkpoint)
    images = ImageSpec(len(card["mean"]), card["image_size"], len(card["classes"]))
    form = Form(images, f"trained on {card['data']['name']}")
    if cfg.picture is not None:
        _draw_class_map(cfg, card, net)
        return
    batch, which = _images(cfg, card)
    records = statistics_records(net, batch)
    show_network(cfg, card["network"]["name"], net, form, records)
    if cfg.format in tables.READ_BY_PEOPLE:
        print(f"\nweights, and activations on {len(batch):,} {which} images\n")
        tables.emit(tables.render(records, cfg.format), cfg.output, suffix="statistics")


def _images(cfg: DictConfig, card: dict) -> tuple[Tensor, str]:
    """One batch of normalized validation images, or of training images where the run had no others."""
    keys = ("root", "download", "mirror", "eval_batch_size")
    options = OmegaConf.create({"data": {key: cfg.data[key] for key in keys}})
    data = datamodule_of(options, card)
    subset, which = (data.val, "validation") if len(data.val) else (data.train, "training (there are no validation)")
    images, _ = next(iter(data.eval_dataloader(subset)))
    return normalize(images, data.spec), which


def _draw_class_map(cfg: DictConfig, card: dict, net: nn.Module) -> None:
    """Draw the score map of the picture."""
    size = card["image_size"]
    picture = _read_image(Path(cfg.picture), len(card["mean"]))
    if min(picture.shape[1:]) < size:
        raise UserError(f"picture must be at least {size} x {size} pixels, got {picture.shape[2]} x {picture.shape[1]}")
    scored = convolutionize(net, picture.shape[0], size)
    mean, std = (torch.tensor(card[key])[:, None, None] for key in ("mean", "std"))
    x = ((picture - mean) / std)[None]
    with torch.no_grad():
        scores = scored(x)[0]
    field = trace(scored, picture.shape[0], (picture.shape[1], picture.shape[2])).rows[-1].field
    assert field is not None
    title = f"{card['network']['name']} trained on {card['data']['name']}: {scores.shape[1]} x {scores.shape[2]} scores"
    path = Path(cfg.figures) / f"scores_{Path(cfg.picture).stem}.png"
    with writing(f"figures={cfg.figures}"):
        draw_class_map(picture, scores, field, card["classes"], title, path)
    print(f"picture: {path}")


def _read_image(path: Path, channels: int) -> Tensor:
    """(channels, H, W) in [0, 1]."""
    try:
        pixels = read_image(path, "L" if channels == 1 else "RGB")
    except SourceError as error:
        raise UserError(f"picture={path} cannot be read: {error}") from error
    picture = torch.from_numpy(np.asarray(pixels, dtype=np.float32) / 255)
    return picture[None] if channels == 1 else picture.permute(2, 0, 1)
