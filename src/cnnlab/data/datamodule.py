"""The LightningDataModule: a dataset split into training, validation and test images, loaded in batches."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from cnnlab.data.cache import Dataset, load
from cnnlab.data.cache_files import stored_size
from cnnlab.data.images import Split
from cnnlab.data.specs import SPECS
from cnnlab.data.splits import IndexBatches, complement, stratified
from cnnlab.errors import UserError
from cnnlab.image_spec import ImageSpec
from cnnlab.preprocessing import Preprocessing

Batch = tuple[Tensor, Tensor]
IndexedBatch = tuple[Tensor, Tensor, Tensor]
T = TypeVar("T")


class Subset(TorchDataset[Batch]):
    """Selected images of a split. Indexing with positions (B,) returns uint8 images (B, C, H, W) and labels (B,)."""

    def __init__(self, split: Split, indices: Tensor) -> None:
        self.split, self.indices = split, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, positions: Tensor) -> Batch:
        indices = self.indices[positions]
        return self.split.images.index_select(0, indices), self.split.labels[indices]

    @property
    def labels(self) -> Tensor:
        return self.split.labels[self.indices]


class Indexed(TorchDataset[IndexedBatch]):
    """A subset whose batches also contain the indices of the images in the split (B,)."""

    def __init__(self, subset: Subset) -> None:
        self.subset = subset

    def __getitem__(self, positions: Tensor) -> IndexedBatch:
        return *self.subset[positions], self.subset.indices[positions]


class ImageDataModule(L.LightningDataModule):
    """Training, validation and test images of a dataset of `data/specs.py`.

    Args:
        name: name of the dataset.
        root, download, mirror: location of the files; see `data.cache.load`.
        image_size: side of the network's input in pixels; None for the size of the dataset.
        batch_size, eval_batch_size: images per batch in training and evaluation. If `limit` or `train_size` results in
            fewer than `batch_size` training images, they form one batch.
        val_size: validation images to take from the training set, as a fraction below 1 or as a number; 0 for none.
        split_seed: seed of the validation split, separate from `seed` so that runs with different seeds share it.
        train_size: size of a stratified subset of the remaining training images, and the most validation images; None
            for all.
        limit: maximum number of images in each of the three sets; None for no limit.
        seed: seed of the order of the batches.
        log: prints one line.
    """

    train: Subset
    val: Subset
    test: Subset
    name: str

    def __init__(
        self,
        name: str,
        root: str | Path,
        download: bool = True,
        mirror: str | None = None,
        image_size: int | None = None,
        batch_size: int = 128,
        eval_batch_size: int = 500,
        val_size: float = 0.1,
        split_seed: int = 0,
        train_size: int | None = None,
        limit: int | None = None,
        seed: int = 0,
        log: Callable[[str], None] = print,
    ) -> None:
        super().__init__()
        self.name, self.root, self.download, self.mirror, self.log = name, Path(root), download, mirror, log
        self.image_size = image_size or SPECS[name].images.image_size
        self.batch_size, self.eval_batch_size, self.seed = batch_size, eval_batch_size, seed
        self.val_size, self.split_seed, self.train_size, self.limit = val_size, split_seed, train_size, limit
        self._dataset: Dataset | None = None

    @property
    def dataset(self) -> Dataset:
        """The complete dataset, read at first use."""
        if self._dataset is None:
            self._dataset = load(self.name, self.root, self.download, self.mirror, self.image_size, self.log)
        return self._dataset

    @property
    def spec(self) -> ImageSpec:
        """Description of the images for augmentation and networks."""
        dataset = self.dataset
        return ImageSpec(
            in_channels=len(dataset.mean),
            image_size=self.image_size,
            num_classes=len(dataset.classes),
            classes=dataset.classes,
            mean=dataset.mean,
            std=dataset.std,
            covariance=dataset.covariance,
            mirror=SPECS[self.name].images.mirror,
            drawing=SPECS[self.name].images.drawing,
        )

    @property
    def preprocess(self) -> Preprocessing:
        """The way of an image file of any kind into a network that is trained on this dataset."""
        return Preprocessing(self.spec, stored_size(self.name, self.image_size))

    def setup(self, stage: str | None = None) -> None:
        """Split the images.

        Raises:
            UserError: the requested sizes do not fit the dataset.
        """
        split = self.dataset.train
        total = len(split.labels)
        count = round(self.val_size * total) if isinstance(self.val_size, float) else self.val_size
        if count >= total:
            raise UserError(f"data.val_size must be below the {total:,} training images of {self.name}, got {count:,}")
        if self.val_size and not count:
            raise UserError(f"data.val_size={self.val_size} of {total:,} training images is none; use more, or 0")
        val = stratified(split.labels, count, self.split_seed)
        train = complement(val, total)
        if self.train_size is not None and self.train_size > len(train):
            raise UserError(
                f"data.train_size must be at most {len(train):,}, the number of training images without the "
                f"{count:,} for validation, got {self.train_size:,}"
            )
        self.train = self._subset(split, train, self.train_size)
        self.val = self._subset(split, val, self.train_size)  # a short trial should not mostly validate
        self.test = self._subset(self.dataset.test, torch.arange(len(self.dataset.test.labels)))
        if self.limit is not None or self.train_size is not None:
            self.batch_size = min(self.batch_size, len(self.train))
        if self.batch_size > len(self.train):
            raise UserError(
                f"data.batch_size must be at most the {len(self.train):,} training images, got {self.batch_size:,}"
            )

    def _subset(self, split: Split, indices: Tensor, size: int | None = None) -> Subset:
        """Draw a stratified subset of `indices` with at most `size` and at most `limit` images."""
        count = min(n for n in (size, self.limit, len(indices)) if n is not None)
        if count < len(indices):
            indices = indices[stratified(split.labels[indices], count, self.split_seed)]
        return Subset(split, indices)

    def train_dataloader(self) -> DataLoader[IndexedBatch]:
        batches = IndexBatches(len(self.train), self.batch_size, shuffle=True, seed=self.seed)
        return self._loader(Indexed(self.train), batches)

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        return self.eval_dataloader(self.val) if len(self.val) else []

    def test_dataloader(self) -> DataLoader[Batch]:
        return self.eval_dataloader(self.test)

    def eval_dataloader(self, subset: Subset) -> DataLoader[Batch]:
        """Load every image of `subset` once, in order."""
        return self._loader(subset, IndexBatches(len(subset), self.eval_batch_size, shuffle=False))

    @staticmethod
    def _loader(subset: TorchDataset[T], batches: IndexBatches) -> DataLoader[T]:
        # batch_size=None, because each item of the sampler is already a batch.
        return DataLoader(subset, batch_size=None, sampler=batches, pin_memory=torch.cuda.is_available())
