"""Augmentation of batches on the device, with independent random draws for every image."""

from cnnlab.augment.color import ColorShift
from cnnlab.augment.geometric import AlternatingFlip, Cutout, GrowingCrop, RandomCrop, RandomFlip
from cnnlab.augment.mix import CutMix, MixUp
from cnnlab.augment.pipeline import Augmentation
from cnnlab.augment.step import BatchContext
from cnnlab.augment.trivial import TrivialAugment

__all__ = [
    "AlternatingFlip",
    "Augmentation",
    "BatchContext",
    "ColorShift",
    "CutMix",
    "Cutout",
    "GrowingCrop",
    "MixUp",
    "RandomCrop",
    "RandomFlip",
    "TrivialAugment",
]
