"""The loops that are timed, each in a process of its own: one begins each of its steps with `turns.before_step()`."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import lightning as L
import torch
from torch import Tensor

from cnnlab.analysis.cost import count_macs
from cnnlab.augment.step import BatchContext
from cnnlab.benchmarks import plain
from cnnlab.benchmarks.child import Turns
from cnnlab.benchmarks.noise import NoiseData
from cnnlab.benchmarks.stopwatch import WARM_UP
from cnnlab.build.objects import build_augmentation, build_classifier, build_network
from cnnlab.build.trainer import build_trainer, without_lightnings_advice
from cnnlab.config.schema import BenchmarkConfig
from cnnlab.data.datamodule import ImageDataModule
from cnnlab.data.specs import SPECS
from cnnlab.machine.probes import device_type
from cnnlab.machine.setup import Machine, prepare
from cnnlab.ops.swap import swap_convolutions
from cnnlab.training.callbacks import Checkpoints, History
from cnnlab.training.classifier import ImageClassifier

FORMS = {
    "float32": (torch.float32, torch.contiguous_format),
    "float32, channels_last": (torch.float32, torch.channels_last),
    "bf16-mixed, channels_last": (torch.bfloat16, torch.channels_last),
}


def prepared(cfg: BenchmarkConfig, images: int | None = None) -> tuple[ImageDataModule, ImageClassifier, Machine]:
    """What a run of `cfg` trains, made as there, but on `images` of noise, or as many as the dataset has."""
    data = NoiseData(cfg, images)
    model = build_classifier(cfg, data)
    macs = count_macs(model.net, data.spec.in_channels, data.spec.image_size)
    swap_convolutions(model.net, cfg.conv)
    return data, model, prepare(cfg.trainer, macs_per_step=macs * cfg.data.batch_size)


class TakeTurns(L.Callback):
    """Lets a Trainer's steps take turns with others'."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.turns.before_step()


def run_trainer(turns: Turns, cfg: BenchmarkConfig, images: int) -> NoReturn:
    """`train.py`'s own loop within its first epoch: Lightning's Trainer with the run's module, data and callbacks."""
    cfg.data.val_size, cfg.trainer.max_steps, cfg.trainer.limit_train_batches = 0, None, None
    data, model, machine = prepared(cfg, images)
    with tempfile.TemporaryDirectory() as folder, without_lightnings_advice():
        path = Path(folder)
        history, checkpoints = History(path / "metrics.csv"), Checkpoints(path, monitor=None)
        trainer = build_trainer(cfg, machine, path / "run", history, checkpoints, lambda line: None)
        trainer.callbacks.insert(0, TakeTurns(turns))  # type: ignore[attr-defined]
        trainer.fit(model, datamodule=data)
    raise AssertionError("the epoch ended before the turns")


def run_bare(turns: Turns, cfg: BenchmarkConfig, images: int) -> NoReturn:
    """The same batches, augmentation, network, precision and optimizer in a loop of one's own, and nothing else."""
    data, model, machine = prepared(cfg, images)
    model.to(machine.device).train()
    optimizer = model.new_optimizer()
    generator = torch.Generator().manual_seed(0)
    pixels, labels = data.train.split.images, data.train.split.labels
    while True:
        for chosen in torch.randperm(len(labels), generator=generator).split(cfg.data.batch_size):
            turns.before_step()
            batch = pixels[chosen].to(machine.device), labels[chosen].to(machine.device), chosen
            x, targets = model.augmented(batch, 0)
            with machine.autocast():
                loss = model.logits_and_loss(x, targets)[1]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def run_form(turns: Turns, cfg: BenchmarkConfig, form: str) -> NoReturn:
    """Forward, backward and SGD of the network on one batch of noise, in one of FORMS."""
    dtype, memory_format = FORMS[form]
    data, model, machine = prepared(cfg, cfg.data.batch_size)
    model.to(machine.device).train()
    net = model.net.to(memory_format=memory_format)
    x = torch.randn(cfg.data.batch_size, *data.spec.shape, device=machine.device)
    x = x.contiguous(memory_format=memory_format)
    labels = torch.randint(data.spec.num_classes, (len(x),), device=machine.device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, fused=True)
    while True:
        turns.before_step()
        with torch.autocast(machine.device, torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = model.logits_and_loss(x, labels)[1]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def run_plain(turns: Turns, cfg: BenchmarkConfig, padding: int, flip: bool, images: int) -> NoReturn:
    """The opponent's training; only a number of threads that is asked for is set."""
    data = NoiseData(cfg, images)
    net = build_network(cfg.model, data.spec)
    batches = plain_batches(cfg, data, padding, flip)
    training = plain.Training(net, lr=0.01, device=device_type(cfg.trainer.accelerator))
    while True:
        turns.before_step()
        training.step(*next(batches))


def run_plain_loader(turns: Turns, cfg: BenchmarkConfig, padding: int, flip: bool, images: int) -> NoReturn:
    """The opponent's batches, ready for a network."""
    batches = plain_batches(cfg, NoiseData(cfg, images), padding, flip)
    while True:
        turns.before_step()
        next(batches)


def plain_batches(
    cfg: BenchmarkConfig, data: ImageDataModule, padding: int, flip: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """The opponent's loader, epoch after epoch."""
    if cfg.trainer.threads != "auto":
        torch.set_num_threads(cfg.trainer.threads)
    spec, split = data.spec, data.train.split
    pixels = split.images.permute(0, 2, 3, 1).squeeze(-1).contiguous().numpy()
    transform = plain.make_transform(split.images.shape[-1], spec.image_size, padding, flip, spec.mean, spec.std)
    loader = plain.make_loader(pixels, split.labels.tolist(), transform, cfg.data.batch_size)
    return itertools.chain.from_iterable(itertools.repeat(loader))


def run_our_data(turns: Turns, cfg: BenchmarkConfig) -> NoReturn:
    """The data module's batches, augmented and normalized, as a step of `cfg`'s network does it, on its threads."""
    data = NoiseData(cfg)
    machine = prepare(cfg.trainer, macs_per_step=macs_of_a_step(cfg))
    augmentation = build_augmentation(cfg.augment, data.spec)
    generator = torch.Generator().manual_seed(cfg.seed)
    loader = data.train_dataloader()
    while True:
        for images, labels, indices in loader:
            turns.before_step()
            context = BatchContext(cfg.seed, 0, indices)
            augmentation(images.to(machine.device), labels.to(machine.device), generator, context)


def macs_of_a_step(cfg: BenchmarkConfig) -> float:
    """Multiply-accumulates of a forward pass over a batch."""
    spec = NoiseData(cfg, cfg.data.batch_size).spec
    return cfg.data.batch_size * count_macs(build_network(cfg.model, spec), spec.in_channels, spec.image_size)


def images_for(cfg: BenchmarkConfig, steps: int) -> int:
    """So many images that all turns of `steps` lie in one epoch, and not fewer than the dataset has."""
    return max(SPECS[cfg.data.name].train_size, ((WARM_UP + cfg.rounds) * steps + 1) * cfg.data.batch_size)


def steps_of_a_turn(macs_per_step: float) -> int:
    """As many steps as take some tenths of a second: one of ResNet-18, twenty of LeNet-5."""
    return max(1, min(20, round(20e9 / macs_per_step)))
