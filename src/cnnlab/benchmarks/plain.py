"""The plain script that the benchmarks compare with: written after PyTorch's tutorials, without this project's code.

A Dataset of single images with torchvision's transforms, a DataLoader with two workers, SGD and float32. PyTorch's
allocator, memory format and number of threads are its defaults.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

WORKERS = 2


class RawDataset(Dataset[Any]):
    """Images as torchvision's datasets store them: uint8 (N, H, W, C), or (N, H, W) for grayscale."""

    def __init__(self, images: np.ndarray, labels: Sequence[int], transform: transforms.Compose) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = Image.fromarray(self.images[index])
        return self.transform(image), self.labels[index]


def make_transform(
    stored_size: int, image_size: int, padding: int, flip: bool, mean: Sequence[float], std: Sequence[float]
) -> transforms.Compose:
    """Random crops of images padded by `padding` pixels, random flips, resizing to `image_size`, and normalization."""
    steps: list[object] = []
    if padding:
        steps.append(transforms.RandomCrop(stored_size, padding=padding))
    if flip:
        steps.append(transforms.RandomHorizontalFlip())
    if image_size != stored_size:
        steps.append(transforms.Resize(image_size))
    return transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(mean, std)])


def make_loader(
    images: np.ndarray, labels: Sequence[int], transform: transforms.Compose, batch_size: int
) -> DataLoader[Any]:
    """Shuffled full batches; the last incomplete batch of an epoch is dropped."""
    dataset = RawDataset(images, labels, transform)
    return DataLoader(dataset, batch_size=batch_size, shuffle=True, drop_last=True, num_workers=WORKERS)


class Training:
    """A network on its device with its loss and optimizer."""

    def __init__(self, net: nn.Module, lr: float, device: str) -> None:
        self.device = torch.device(device)
        self.net = net.to(self.device).train()
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> float:
        """Train on one batch; returns the loss."""
        images, labels = images.to(self.device), labels.to(self.device)
        self.optimizer.zero_grad()
        outputs = self.net(images)
        main, *auxiliary = outputs if isinstance(outputs, tuple) else (outputs,)
        loss = self.criterion(main, labels)
        for logits in auxiliary:
            loss = loss + 0.3 * self.criterion(logits, labels)
        loss.backward()
        self.optimizer.step()
        return float(loss.item())
