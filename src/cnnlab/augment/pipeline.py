"""From a stored uint8 batch to the network's input: image steps, normalization, resizing, mixing."""

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.augment.geometric import RandomFlip
from cnnlab.augment.mix import one_hot
from cnnlab.augment.step import BatchContext, ContextStep, Draws, ImageStep, MixStep
from cnnlab.image_spec import ImageSpec

ALL = slice(None)


class Augmentation:
    """The steps of one `conf/augment` choice, applied to one dataset.

    Flips are omitted and listed in `left_out` if a reflection can change the label (`spec.mirror` is False).
    """

    def __init__(self, steps: Sequence[ImageStep | ContextStep | MixStep], spec: ImageSpec) -> None:
        self.left_out = [step for step in steps if isinstance(step, RandomFlip) and not spec.mirror]
        used = [step for step in steps if step not in self.left_out]
        self.image_steps = [step for step in used if not isinstance(step, MixStep)]
        self.mix_steps = [step for step in used if isinstance(step, MixStep)]
        self.spec = spec

    def __call__(
        self,
        images: Tensor,
        labels: Tensor,
        generator: torch.Generator,
        context: BatchContext | None = None,
        part: slice = ALL,
    ) -> tuple[Tensor, Tensor]:
        """Augment a batch, or a part of it with the numbers drawn for the full batch.

        Args:
            images: uint8 (N, C, H, W), as stored.
            labels: (N,).
            generator: source of the random draws.
            context: epoch and image indices, required by steps that depend on them.
            part: the M images to return. Mixing steps still augment the full batch, because any image can be a partner.

        Returns:
            Normalized images (M, C, image_size, image_size), and labels (M,) or, with mixing, targets (M, num_classes).

        Raises:
            ValueError: a step needs `context` and it is None.
        """
        needed = ALL if self.mix_steps else part
        augmented = images[needed]
        for step in self.image_steps:
            draws = _draw(step, images, generator, context)
            augmented = step.apply(augmented, _to_device(draws, images.device, needed))
        x = normalize(augmented, self.spec)
        if not self.mix_steps:
            return x, labels[part]
        targets = one_hot(labels, self.spec.num_classes)
        for mix in self.mix_steps:
            x, targets = mix.mix(x, targets, _to_device(mix.draw(x, generator), x.device))
        return x[part], targets[part]


def _draw(
    step: ImageStep | ContextStep, images: Tensor, generator: torch.Generator, context: BatchContext | None
) -> Draws:
    if not isinstance(step, ContextStep):
        return step.draw(images, generator)
    if context is None:
        raise ValueError(f"context must be a BatchContext for {type(step).__name__}, got None")
    return step.draw_for(context)


def _to_device(draws: Draws, device: torch.device, part: slice = ALL) -> Draws:
    return {name: drawn[part].to(device, non_blocking=True) for name, drawn in draws.items()}


def normalize(images: Tensor, spec: ImageSpec) -> Tensor:
    """Normalize uint8 (N, C, H, W) to mean 0 and standard deviation 1 per channel, and resize to `spec.image_size`."""
    height, width = images.shape[2:]
    shift, scale = _shift_and_scale(tuple(spec.mean), tuple(spec.std), height * width, images.device)
    x = images.float().contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    # One row per image: several times as fast on a CPU as broadcasting over the channels.
    x = torch.addcmul(shift, x.flatten(1), scale).view(x.shape).permute(0, 3, 1, 2)
    if x.shape[-1] != spec.image_size:
        x = F.interpolate(x, (spec.image_size, spec.image_size), mode="bilinear", antialias=True)
    return x.contiguous(memory_format=torch.channels_last)


# Cached on the device, because copying the statistics for every batch would synchronize with a GPU.
@lru_cache(maxsize=16)
def _shift_and_scale(
    mean: tuple[float, ...], std: tuple[float, ...], pixels: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """(pixels * C,) each: shift + scale * x normalizes a flattened channels-last uint8 image x."""
    with torch.inference_mode(False):  # usable in training even if evaluation makes them first
        means, stds = torch.tensor(mean).to(device), torch.tensor(std).to(device)
        return (-means / stds).repeat(pixels), (1 / (255 * stds)).repeat(pixels)


def denormalize(x: Tensor, spec: ImageSpec) -> Tensor:
    """Invert `normalize`, except for resizing: floats in [0, 1]."""
    mean = torch.tensor(spec.mean, device=x.device)[:, None, None]
    std = torch.tensor(spec.std, device=x.device)[:, None, None]
    return (x * std + mean).clamp(0, 1)
