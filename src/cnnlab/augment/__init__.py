"""Augmentation of whole batches, on the device, a draw of its own for every image."""

from cnnlab.augment.colour import ColourShift
from cnnlab.augment.geometry import Cutout, RandomCrop, RandomFlip
from cnnlab.augment.mix import CutMix, MixUp
from cnnlab.augment.pipeline import Augmentation, ImageFacts
from cnnlab.augment.trivial import TrivialAugment

__all__ = [
    "Augmentation",
    "ColourShift",
    "CutMix",
    "Cutout",
    "ImageFacts",
    "MixUp",
    "RandomCrop",
    "RandomFlip",
    "TrivialAugment",
]
