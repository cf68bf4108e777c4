"""The loops that the benchmarks time, each in its own process. Each calls `turns.before_step()` before every step."""

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
from cnnlab.benchmarks.noise import NoiseData, crop_and_flip
from cnnlab.benchmarks.stopwatch import WARM_UP
from cnnlab.build.check import build_augmentation, build_network
from cnnlab.build.objects import Parts, build_model_parts
from cnnlab.build.trainer import build_trainer, without_lightnings_advice
from cnnlab.config.schema import BenchmarkConfig
from cnnlab.data.datamodule import ImageDataModule
from cnnlab.data.specs import SPECS
from cnnlab.machine.probes import device_type
from cnnlab.machine.setup import prepare
from cnnlab.training.callbacks import Checkpoints, History

FORMS = {
    "float32": (torch.float32, torch.contiguous_format),
    "float32, channels_last": (torch.float32, torch.channels_last),
    "bf16-mixed, channels_last": (torch.bfloat16, torch.channels_last),
}


def noise_parts(cfg: BenchmarkConfig, images: int) -> Parts:
    """The parts of a run of `cfg`, on `images` training images of noise."""
    return build_model_parts(cfg, NoiseData(cfg, images))


class TakeTurns(L.Callback):
    """Makes each training step of a Trainer wait for its turn."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.turns.before_step()


def run_trainer(turns: Turns, cfg: BenchmarkConfig, images: int) -> NoReturn:
    """The first epoch of `train.py`: Lightning's Trainer with the run's module, data and callbacks."""
    data = cfg.data.model_copy(update={"val_size": 0})
    trainer = cfg.trainer.model_copy(update={"max_steps": None, "limit_train_batches": None})
    cfg = cfg.model_copy(update={"data": data, "trainer": trainer})
    parts = noise_parts(cfg, images)
    with tempfile.TemporaryDirectory() as folder, without_lightnings_advice():
        path = Path(folder)
        history, checkpoints = History(path / "metrics.csv"), Checkpoints(path, monitor=None)
        loop = build_trainer(cfg, parts.machine, path / "run", history, checkpoints, lambda line: None)
        loop.callbacks.insert(0, TakeTurns(turns))  # type: ignore[attr-defined]
        loop.fit(parts.model, datamodule=parts.data)
    raise AssertionError("the epoch ended before the last turn")


def run_bare(turns: Turns, cfg: BenchmarkConfig, images: int) -> NoReturn:
    """The same batches, augmentation, network, precision and optimizer as `run_trainer` in a bare loop."""
    parts = noise_parts(cfg, images)
    model, machine, split = parts.model, parts.machine, parts.data.train.split
    model.to(machine.device).train()
    optimizer = model.new_optimizer()
    generator = torch.Generator().manual_seed(0)
    while True:
        for indices in torch.randperm(len(split.labels), generator=generator).split(cfg.data.batch_size):
            turns.before_step()
            batch = split.images[indices].to(machine.device), split.labels[indices].to(machine.device), indices
            x, targets = model.augmented(batch, 0)
            with machine.autocast():
                loss = model.logits_and_loss(x, targets)[1]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def run_form(turns: Turns, cfg: BenchmarkConfig, form: str) -> NoReturn:
    """Forward, backward and SGD on one batch of noise, in the type and memory format of FORMS[form]."""
    dtype, memory_format = FORMS[form]
    parts = noise_parts(cfg, cfg.data.batch_size)
    model, device, spec = parts.model, parts.machine.device, parts.data.spec
    net = model.to(device).train().net.to(memory_format=memory_format)
    x = torch.randn(cfg.data.batch_size, *spec.shape, device=device).contiguous(memory_format=memory_format)
    labels = torch.randint(spec.num_classes, (len(x),), device=device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, fused=True)
    while True:
        turns.before_step()
        with torch.autocast(device, torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = model.logits_and_loss(x, labels)[1]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def run_plain(turns: Turns, cfg: BenchmarkConfig, images: int) -> NoReturn:
    """The plain script's training."""
    data = NoiseData(cfg, images)
    net = build_network(cfg.model, data.spec)
    batches = plain_batches(cfg, data)
    training = plain.Training(net, lr=0.01, device=device_type(cfg.trainer.accelerator))
    while True:
        turns.before_step()
        training.step(*next(batches))


def run_plain_loader(turns: Turns, cfg: BenchmarkConfig, images: int) -> NoReturn:
    """The plain script's loader, without training."""
    batches = plain_batches(cfg, NoiseData(cfg, images))
    while True:
        turns.before_step()
        next(batches)


def plain_batches(cfg: BenchmarkConfig, data: ImageDataModule) -> Iterator[tuple[Tensor, Tensor]]:
    """The plain script's batches, epoch after epoch; sets the number of threads only if `cfg` gives one."""
    if cfg.trainer.threads != "auto":
        torch.set_num_threads(cfg.trainer.threads)
    spec, split = data.spec, data.train.split
    pixels = split.images.permute(0, 2, 3, 1).squeeze(-1).contiguous().numpy()
    stored_size = split.images.shape[-1]
    transform = plain.make_transform(stored_size, spec.image_size, *crop_and_flip(cfg), spec.mean, spec.std)
    loader = plain.make_loader(pixels, split.labels.tolist(), transform, cfg.data.batch_size)
    return itertools.chain.from_iterable(itertools.repeat(loader))


def run_our_data(turns: Turns, cfg: BenchmarkConfig) -> NoReturn:
    """The data module's batches, augmented and normalized with as many threads as a step of `cfg`'s network has."""
    data = NoiseData(cfg)
    machine = prepare(cfg.trainer, macs_per_step=macs_per_step(cfg))
    augmentation = build_augmentation(cfg.augment, data.spec)
    generator = torch.Generator().manual_seed(cfg.seed)
    loader = data.train_dataloader()
    while True:
        for images, labels, indices in loader:
            turns.before_step()
            context = BatchContext(cfg.seed, 0, indices)
            augmentation(images.to(machine.device), labels.to(machine.device), generator, context)


def macs_per_step(cfg: BenchmarkConfig) -> float:
    """Multiply-accumulates of a forward pass over a batch."""
    spec = NoiseData(cfg, cfg.data.batch_size).spec
    return cfg.data.batch_size * count_macs(build_network(cfg.model, spec), spec.in_channels, spec.image_size)


def images_for(cfg: BenchmarkConfig, steps: int) -> int:
    """The dataset's number of images, or more if all turns of `steps` steps do not fit into one epoch of it."""
    return max(SPECS[cfg.data.name].train_size, ((WARM_UP + cfg.rounds) * steps + 1) * cfg.data.batch_size)


def steps_per_turn(macs: float) -> int:
    """The steps of one turn, some tenths of a second: 1 for ResNet-18, 20 for LeNet-5; `macs` are those of a step."""
    return max(1, min(20, round(20e9 / macs)))
