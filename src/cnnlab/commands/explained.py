"""What the parts of `explain` share: the network, the images to explain, and the dataset where it is needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from cnnlab.config.trained import ExplainConfig
from cnnlab.data.datamodule import ImageDataModule, Subset
from cnnlab.errors import UserError, checking
from cnnlab.machine.setup import Machine
from cnnlab.predict.image_paths import find_images
from cnnlab.preprocessing.pixels import denormalize
from cnnlab.runs.evaluation import datamodule_of, predict_logits
from cnnlab.runs.trained_network import Trained

MOST_IMAGES = 10  # of the dataset, one of each class


@dataclass(frozen=True)
class Shown:
    """One image to explain.

    Attributes:
        name: of the file, or such as `test 3`.
        pixels: uint8 (C, H, W), as the dataset stores it.
        label: its class; None for a file.
        notes: what was done to a file beyond resizing.
    """

    name: str
    pixels: Tensor
    label: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """For a figure about this image."""
        return self.name.replace(" ", "_") if self.label is not None else Path(self.name).stem


class Explained:
    """A trained network on the device of `machine`, with its images; the dataset is read at first use."""

    def __init__(self, cfg: ExplainConfig, trained: Trained, machine: Machine) -> None:
        self.cfg, self.trained, self.machine = cfg, trained, machine
        trained.net.to(machine.device)
        self.folder = _folder_of(cfg)

    @property
    def net(self) -> nn.Module:
        return self.trained.net

    @cached_property
    def data(self) -> ImageDataModule:
        return datamodule_of(self.cfg.data, self.trained.card)

    @cached_property
    def subset(self) -> Subset:
        """The images of `split`."""
        subset: Subset = getattr(self.data, self.cfg.split)
        if not len(subset):
            raise UserError(f"split={self.cfg.split} has no images: the network was trained with data.val_size=0")
        return subset

    @cached_property
    def logits(self) -> Tensor:
        """Of all images of `split`, on the CPU."""
        batches = (images for images, _ in self.data.eval_dataloader(self.subset))
        return predict_logits(self.trained, batches, self.machine)

    def batches(self) -> Iterator[Tensor]:
        """The normalized images of `split`, in order."""
        return (self.normalized(images) for images, _ in self.data.eval_dataloader(self.subset))

    def normalized(self, pixels: Tensor) -> Tensor:
        """The network's input (N, C, H, W) from uint8 images (N, C, H, W)."""
        return self.trained.preprocess(pixels.to(self.machine.device))

    def visible(self, x: Tensor) -> Tensor:
        """The network's input as floats in [0, 1], on the CPU."""
        return denormalize(x, self.trained.preprocess.spec).cpu()

    @cached_property
    def images(self) -> list[Shown]:
        """The images to explain."""
        if self.cfg.images is not None:
            with checking():
                found = find_images(self.cfg.images)
            if left_out := str(found.left_out):
                print(f"left out  {left_out}")
            return [self._read(file) for file in found.files]
        labels = self.subset.labels
        present = labels.unique()[:MOST_IMAGES]
        indices = torch.stack([(labels == label).nonzero()[0, 0] for label in present])
        pixels, _ = self.subset[indices]
        return [
            Shown(f"{self.cfg.split} {index}", image, int(label))
            for index, image, label in zip(indices.tolist(), pixels, present, strict=True)
        ]

    def _read(self, file: str) -> Shown:
        with checking("images"):
            prepared = self.trained.preprocess.prepare(file, self.cfg.fit, self.cfg.invert)
        return Shown(file, prepared.pixels, None, prepared.notes)


def _folder_of(cfg: ExplainConfig) -> Path:
    """`figures`, or a folder in the run folder, or in `log_dir` if the checkpoint is not in a run folder."""
    if cfg.figures is not None:
        return Path(cfg.figures)
    checkpoint = Path(cfg.checkpoint)
    run = checkpoint.parent.parent
    return (
        run / "figures" / "explain" if (run / "result.json").exists() else Path(cfg.log_dir, "explain", checkpoint.stem)
    )
