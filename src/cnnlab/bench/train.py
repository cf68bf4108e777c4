"""What a training step of a network costs here, in each form that the machine has: precision and memory format."""

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from torch import nn

from cnnlab import build
from cnnlab.augment.step import ImageFacts
from cnnlab.bench.stopwatch import alternate
from cnnlab.data.specs import SPECS
from cnnlab.errors import one_of
from cnnlab.machine import device_name, prepare

FORMS = {
    "float32": (torch.float32, torch.contiguous_format),
    "float32, channels_last": (torch.float32, torch.channels_last),
    "bf16-mixed, channels_last": (torch.bfloat16, torch.channels_last),
}


def bench_train(cfg: DictConfig) -> str:
    """A table: images a second of forward, backward and optimizer on images of noise; medians of alternated steps."""
    one_of("data.name", cfg.data.name, [name for name, spec in SPECS.items() if spec.classes])
    machine = prepare(cfg.trainer)
    spec = SPECS[cfg.data.name]
    size = cfg.data.image_size or spec.image_size
    facts = ImageFacts(len(spec.classes), size, spec.mean, spec.std, torch.eye(spec.in_channels), mirror=spec.mirror)
    net = build.network(cfg.model, facts).to(machine.device)
    images = torch.randn(cfg.data.batch_size, spec.in_channels, size, size, device=machine.device)
    labels = torch.randint(len(spec.classes), (cfg.data.batch_size,), device=machine.device)
    contenders = {name: step_of(net, images, labels, *form) for name, form in FORMS.items()}
    timings = alternate(contenders, rounds=cfg.rounds)
    lines = [
        f"{cfg.model['_target_'].rpartition('.')[2]}, {cfg.data.batch_size} x {spec.in_channels} x {size} x {size}, "
        f"{device_name(machine.device)}, {machine.threads} threads; {cfg.rounds} steps each, by turns",
        f"{'step':<28}{'images/s':>10}{'slowest':>10}{'fastest':>10}",
    ]
    for name, timing in timings.items():
        fastest, slowest = timing.spread
        rates = [f"{cfg.data.batch_size / seconds:>10,.0f}" for seconds in (timing.median, slowest, fastest)]
        lines.append(f"{name:<28}{''.join(rates)}")
    return "\n".join(lines)


def step_of(
    net: nn.Module, images: torch.Tensor, labels: torch.Tensor, dtype: torch.dtype, memory_format: torch.memory_format
) -> Callable[[], None]:
    """One training step on a copy of `net`."""
    own = copy.deepcopy(net).to(memory_format=memory_format)
    batch = images.contiguous(memory_format=memory_format)
    optimizer = torch.optim.SGD(own.parameters(), lr=0.01, momentum=0.9)

    def step() -> None:
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = F.cross_entropy(own(batch).float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if batch.is_cuda:
            torch.cuda.synchronize()

    return step
