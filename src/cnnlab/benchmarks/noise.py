"""Images of noise in the form of a dataset, so that a benchmark needs no download; what they show is not timed."""

import torch

from cnnlab.augment import Augmentation, RandomCrop, RandomFlip
from cnnlab.build.objects import build_augmentation
from cnnlab.config.schema import BenchmarkConfig
from cnnlab.data.cache import Dataset
from cnnlab.data.datamodule import ImageDataModule
from cnnlab.data.images import Split
from cnnlab.data.specs import SPECS
from cnnlab.errors import UserError, one_of

TEST_IMAGES = 1000


class NoiseData(ImageDataModule):
    """The data module on noise, all of which is for training.

    Args:
        count: training images; None for as many as the dataset has.
    """

    def __init__(self, cfg: BenchmarkConfig, count: int | None = None) -> None:
        name, spec = cfg.data.name, SPECS[cfg.data.name]
        images = spec.images
        super().__init__(
            name, "", image_size=cfg.data.image_size, batch_size=cfg.data.batch_size, val_size=0, seed=cfg.seed
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
    """Raise UserError where a dataset's form is not known before its pictures are."""
    one_of("data.name", cfg.data.name, [name for name, spec in SPECS.items() if spec.images.classes])


def _reflects(step: object) -> bool:
    """Whether a crop's border is anything but black."""
    return isinstance(step, RandomCrop) and step.mode != "constant"


def crop_and_flip(cfg: BenchmarkConfig) -> tuple[int, bool]:
    """The augmentation that torchvision's transforms of one image are compared with: pixels of padding, reflections.

    Raises:
        UserError: it is another one.
    """
    data = NoiseData(cfg, cfg.data.batch_size)
    augmentation: Augmentation = build_augmentation(cfg.augment, data.spec)
    steps = [*augmentation.image_steps, *augmentation.mix_steps]
    others = [type(step).__name__ for step in steps if type(step) not in (RandomCrop, RandomFlip) or _reflects(step)]
    if others:
        raise UserError(
            f"bench={cfg.bench} compares with a script that crops and flips: augment must be none, translate or "
            f"crop_flip, got {', '.join(others)}"
        )
    padding = sum(round(s.padding * SPECS[cfg.data.name].images.image_size) for s in steps if isinstance(s, RandomCrop))
    return padding, any(isinstance(step, RandomFlip) for step in steps)
