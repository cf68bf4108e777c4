"""Photographs of handwritten digits are recognized by a network that knows only MNIST's images."""

import numpy as np
import pytest
import torch
from PIL import Image

from cnnlab.data.datamodule import ImageDataModule
from cnnlab.runs.locate import locate_checkpoint
from cnnlab.runs.trained_network import load_trained

COUNT = 200


def photograph(digit: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A digit of MNIST written with a pen on unevenly lit paper, somewhere in the image, with noise."""
    pen = np.asarray(Image.fromarray(digit).resize((200, 200), Image.Resampling.BICUBIC)) > 127
    ink = np.zeros((480, 640))
    top, left = random.integers(60, 220), random.integers(60, 380)
    ink[top : top + 200, left : left + 200] = pen
    y, x = np.mgrid[:480, :640]
    light = 150 + 60 * np.sin(x / 320 + random.uniform(0, 6)) + y / 16
    return np.clip(light * (1 - 0.65 * ink) + random.normal(0, 6, ink.shape), 0, 255).astype(np.uint8)


@pytest.mark.realdata
def test_photographs_of_digits_are_recognized(real_root, tmp_path):
    data = ImageDataModule("mnist", real_root, download=False)
    data.setup()
    images, labels = data.test[torch.arange(COUNT)]
    trained = load_trained(locate_checkpoint("pretrained:lenet5-mnist", ""))
    random = np.random.default_rng(0)
    prepared = []
    for i, image in enumerate(images):
        Image.fromarray(photograph(image[0].numpy(), random)).save(tmp_path / f"{i}.png")
        prepared.append(trained.preprocess.prepare(tmp_path / f"{i}.png"))
    assert {found.notes for found in prepared} == {("inverted", "centered")}
    with torch.no_grad():
        predicted = trained(trained.preprocess(torch.stack([found.pixels for found in prepared]))).argmax(1)
    assert (predicted == labels).float().mean() >= 0.97
