"""From a stored uint8 batch to the network's input: image steps, normalization, resizing, mixing."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from cnnlab.augment.geometric import GrowingCrop, RandomFlip
from cnnlab.augment.mix import one_hot
from cnnlab.augment.step import BatchContext, ContextStep, Draws, ImageStep, MixStep
from cnnlab.image_spec import ImageSpec
from cnnlab.preprocessing import normalize

ALL = slice(None)


class Augmentation:
    """The steps of one `conf/augment` choice, applied to one dataset.

    Flips are omitted and listed in `left_out` if a reflection can change the label (`spec.mirror` is False).

    Raises:
        ValueError: there is more than one GrowingCrop.
    """

    def __init__(self, steps: Sequence[ImageStep | ContextStep | GrowingCrop | MixStep], spec: ImageSpec) -> None:
        self.left_out = [step for step in steps if isinstance(step, RandomFlip) and not spec.mirror]
        used = [step for step in steps if step not in self.left_out]
        self.image_steps = [step for step in used if not isinstance(step, MixStep | GrowingCrop)]
        crops = [step for step in used if isinstance(step, GrowingCrop)]
        if len(crops) > 1:
            raise ValueError(f"there must be at most one GrowingCrop, got {len(crops)}")
        self.growing_crop = crops[0] if crops else None
        self.mix_steps = [step for step in used if isinstance(step, MixStep)]
        self.steps = [*self.image_steps, *crops, *self.mix_steps]  # in the order in which they are applied
        self.spec = spec

    def __str__(self) -> str:
        """The steps, and those that are left out because a reflection changes the label."""
        used, left_out = (", ".join(type(step).__name__ for step in part) for part in (self.steps, self.left_out))
        return (used or "none") + (f"; left out: {left_out}, as a reflection changes the label" if left_out else "")

    @property
    def image_sizes(self) -> list[int]:
        """The sizes of the network's input in the course of a run."""
        stages = self.growing_crop.stages if self.growing_crop else []
        return [*(round(size * self.spec.image_size) for _, size in stages), self.spec.image_size]

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
            Normalized images (M, C, image_size, image_size), smaller in the first stages of a
            GrowingCrop, and labels (M,) or, with mixing, targets (M, num_classes).

        Raises:
            ValueError: a step needs `context` and it is None.
        """
        needed = ALL if self.mix_steps else part
        augmented = images[needed]
        for step in self.image_steps:
            draws = _draw(step, images, generator, context)
            augmented = step.apply(augmented, _to_device(draws, images.device, needed))
        spec = self.spec
        if self.growing_crop and context and (size := self.growing_crop.size_at(context.progress)) < 1:
            draws = self.growing_crop.draw(images, generator, size)
            augmented = self.growing_crop.apply(augmented, _to_device(draws, images.device, needed), size)
            spec = replace(spec, image_size=round(size * spec.image_size))
        x = normalize(augmented, spec)
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
