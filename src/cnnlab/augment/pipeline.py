"""From a uint8 batch to what the network takes: steps, scale and normalisation, size, mixing."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.augment.geometry import RandomFlip
from cnnlab.augment.mix import one_hot
from cnnlab.augment.step import Draws, ImageFacts, ImageStep, MixStep, Moment, MomentStep


class Augmentation:
    """The steps of one `conf/augment` choice on one dataset.

    Reflections are left out, and named in `left_out`, where the data forbids them.
    """

    def __init__(self, steps: Sequence[ImageStep | MomentStep | MixStep], facts: ImageFacts) -> None:
        self.left_out = [step for step in steps if isinstance(step, RandomFlip) and not facts.mirror]
        kept = [step for step in steps if step not in self.left_out]
        self.image_steps: list[ImageStep | MomentStep] = [step for step in kept if not hasattr(step, "mix")]
        self.mix_steps: list[MixStep] = [step for step in kept if hasattr(step, "mix")]  # type: ignore[misc]
        self.facts = facts

    def __call__(
        self, images: Tensor, labels: Tensor, generator: torch.Generator, moment: Moment | None = None
    ) -> tuple[Tensor, Tensor]:
        """Augment a batch.

        Args:
            images: uint8 (N, C, H, W) as stored.
            labels: (N,).
            generator: of what is drawn at random.
            moment: of this batch, for the steps that go by it.

        Returns:
            Normalised floats (N, C, image_size, image_size), and the labels, or targets (N, num_classes) where images
            were mixed.
        """
        for step in self.image_steps:
            if hasattr(step, "draw_at"):
                assert moment is not None, f"{type(step).__name__} needs to know which images it has"
                draws = step.draw_at(moment)
            else:
                draws = step.draw(images, generator)
            images = step.apply(images, _on(draws, images.device))
        x = normalise(images, self.facts)
        if not self.mix_steps:
            return x, labels
        targets = one_hot(labels, self.facts.num_classes)
        for mix in self.mix_steps:
            x, targets = mix.mix(x, targets, _on(mix.draw(x, generator), x.device))
        return x, targets


def _on(draws: Draws, device: torch.device) -> Draws:
    return {name: drawn.to(device, non_blocking=True) for name, drawn in draws.items()}


def normalise(images: Tensor, facts: ImageFacts) -> Tensor:
    """uint8 (N, C, H, W) to floats of mean 0 and standard deviation 1 a channel, of the side that the network takes."""
    mean = torch.tensor(facts.mean, device=images.device)[:, None, None]
    std = torch.tensor(facts.std, device=images.device)[:, None, None]
    x = torch.addcmul(-mean / std, images, 1 / (255 * std))
    if x.shape[-1] != facts.image_size:
        x = F.interpolate(x, (facts.image_size, facts.image_size), mode="bilinear", antialias=True)
    return x.contiguous(memory_format=torch.channels_last)


def denormalise(x: Tensor, facts: ImageFacts) -> Tensor:
    """The inverse of `normalise` but for the size: floats in [0, 1]."""
    mean = torch.tensor(facts.mean, device=x.device)[:, None, None]
    std = torch.tensor(facts.std, device=x.device)[:, None, None]
    return (x * std + mean).clamp(0, 1)
