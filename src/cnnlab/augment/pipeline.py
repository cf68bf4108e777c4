"""From a uint8 batch to what the network takes: steps, scale and normalization, size, mixing."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.augment.geometric import RandomFlip
from cnnlab.augment.mix import one_hot
from cnnlab.augment.step import BatchContext, ContextStep, Draws, ImageStep, MixStep
from cnnlab.image_spec import ImageSpec

WHOLE = slice(None)


class Augmentation:
    """The steps of one `conf/augment` choice on one dataset.

    Reflections are left out, and named in `left_out`, where the data forbids them.
    """

    def __init__(self, steps: Sequence[ImageStep | ContextStep | MixStep], spec: ImageSpec) -> None:
        self.left_out = [step for step in steps if isinstance(step, RandomFlip) and not spec.mirror]
        kept = [step for step in steps if step not in self.left_out]
        self.image_steps: list[ImageStep | ContextStep] = [step for step in kept if not hasattr(step, "mix")]
        self.mix_steps: list[MixStep] = [step for step in kept if hasattr(step, "mix")]  # type: ignore[misc]
        self.spec = spec

    def __call__(
        self,
        images: Tensor,
        labels: Tensor,
        generator: torch.Generator,
        context: BatchContext | None = None,
        part: slice = WHOLE,
    ) -> tuple[Tensor, Tensor]:
        """Augment a batch, or a part of it with the numbers that the part has in the whole.

        Args:
            images: uint8 (N, C, H, W) as stored.
            labels: (N,).
            generator: of what is drawn at random.
            moment: of this batch, for the steps that go by it.
            part: the images that come out, M of them; the others are augmented only where images are mixed, as any may
                be a partner.

        Returns:
            Normalized floats (M, C, image_size, image_size), and the labels, or targets (M, num_classes) where images
            were mixed.
        """
        needed = WHOLE if self.mix_steps else part
        kept = images[needed]
        for step in self.image_steps:
            if hasattr(step, "draw_at"):
                assert context is not None, f"{type(step).__name__} needs to know which images it has"
                draws = step.draw_at(context)
            else:
                draws = step.draw(images, generator)
            kept = step.apply(kept, _on(draws, images.device, needed))
        x = normalize(kept, self.spec)
        if not self.mix_steps:
            return x, labels[part]
        targets = one_hot(labels, self.spec.num_classes)
        for mix in self.mix_steps:
            x, targets = mix.mix(x, targets, _on(mix.draw(x, generator), x.device))
        return x[part], targets[part]


def _on(draws: Draws, device: torch.device, part: slice = WHOLE) -> Draws:
    return {name: drawn[part].to(device, non_blocking=True) for name, drawn in draws.items()}


def normalize(images: Tensor, spec: ImageSpec) -> Tensor:
    """uint8 (N, C, H, W) to floats of mean 0 and standard deviation 1 a channel, of the side that the network takes."""
    height, width = images.shape[2:]
    mean, std = (torch.tensor(numbers).to(images.device, non_blocking=True) for numbers in (spec.mean, spec.std))
    shift, scale = ((-mean / std).repeat(height * width), (1 / (255 * std)).repeat(height * width))
    x = images.float().contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    # An image in a row, which a processor goes through several times as fast as channel by channel.
    x = torch.addcmul(shift, x.flatten(1), scale).view(x.shape).permute(0, 3, 1, 2)
    if x.shape[-1] != spec.image_size:
        x = F.interpolate(x, (spec.image_size, spec.image_size), mode="bilinear", antialias=True)
    return x.contiguous(memory_format=torch.channels_last)


def denormalize(x: Tensor, spec: ImageSpec) -> Tensor:
    """The inverse of `normalize` but for the size: floats in [0, 1]."""
    mean = torch.tensor(spec.mean, device=x.device)[:, None, None]
    std = torch.tensor(spec.std, device=x.device)[:, None, None]
    return (x * std + mean).clamp(0, 1)
