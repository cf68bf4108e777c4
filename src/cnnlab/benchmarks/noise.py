"""Noise with the form of a dataset, so that a benchmark needs no download; speed does not depend on the images."""

import torch

from cnnlab.augment import RandomCrop, RandomFlip
from cnnlab.build.check import build_augmentation
from cnnlab.config.schema import BenchmarkConfig
from cnnlab.data.cache import Dataset
from cnnlab.data.datamodule import ImageDataModule
from cnnlab.data.images import Split
from cnnlab.data.specs import SPECS
from cnnlab.errors import UserError, one_of

TEST_IMAGES = 1000


class NoiseData(ImageDataModule):
    """A data module on noise without a validation split.

    Args:
        count: training images; None for as many as the dataset has.
    """

    def __init__(self, cfg: BenchmarkConfig, count: int | None = None) -> None:
        spec = SPECS[cfg.data.name]
        images = spec.images
        super().__init__(
            cfg.data.name, "", image_size=cfg.data.image_size, batch_size=cfg.data.batch_size, val_size=0, seed=cfg.seed
        )
        generator = torch.Generator().manual_seed(0)

        def noise(count: int) -> Split:
            pixels = torch.randint(256, (count, *images.shape), dtype=torch.uint8, generator=generator)
            return Split(pixels, torch.randint(images.num_classes, (count,), generator=generator))

        self._dataset = Dataset(
            noise(count or spec.train_size), noise(TEST_IMAGES), images.classes, "noise", "", images.mean, images.std,
            torch.eye(images.in_channels),
        )  # fmt: skip
        self.setup()


def check_data(cfg: BenchmarkConfig) -> None:
    """Raise UserError if the dataset's form is known only after reading its images."""
    one_of("data.name", cfg.data.name, [name for name, spec in SPECS.items() if spec.images.classes])


def crop_and_flip(cfg: BenchmarkConfig) -> tuple[int, bool]:
    """The augmentation of `cfg` for torchvision's transforms: pixels of padding, and whether to flip.

    Raises:
        UserError: it has other steps, or pads with anything but zeros.
    """
    augmentation = build_augmentation(cfg.augment, NoiseData(cfg, cfg.data.batch_size).spec)
    steps = augmentation.steps
    crops = [step for step in steps if isinstance(step, RandomCrop) and step.mode == "constant"]
    flips = [step for step in steps if type(step) is RandomFlip]
    others = [type(step).__name__ for step in steps if step not in (*crops, *flips)]
    if others:
        raise UserError(
            f"bench={cfg.bench} compares with a script that crops and flips: augment must be none, translate or "
            f"crop_flip, got {', '.join(others)}"
        )
    side = SPECS[cfg.data.name].images.image_size
    return sum(round(crop.padding * side) for crop in crops), bool(flips)
