"""Stratified subsets, and the order of batches as a function of seed and epoch."""

from collections.abc import Iterator
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from cnnlab.data.images import Split


class Stream(IntEnum):
    """Purpose of random numbers. Streams of different purposes are independent."""

    SPLIT = 1
    ORDER = 2
    AUGMENTATION = 3
    DROPOUT = 4


def generator_for(stream: Stream, *key: int) -> torch.Generator:
    """Return a CPU generator whose numbers depend only on the purpose and on `key`, such as (seed, epoch, step).

    Args:
        key: non-negative integers below 2^32.
    """
    state = np.random.SeedSequence((stream, *key)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def stratified(labels: Tensor, count: int, seed: int) -> Tensor:
    """Draw `count` images with the class proportions of `labels`, and return their sorted indices.

    The numbers of images per class are rounded by the largest remainder method.

    Args:
        labels: (N,) int64.
        count: between 0 and N.
    """
    exact = torch.bincount(labels).double() * count / len(labels)
    quotas = exact.floor().long()
    missing = count - int(quotas.sum())
    quotas[torch.argsort(exact - quotas, descending=True, stable=True)[:missing]] += 1
    order = torch.randperm(len(labels), generator=generator_for(Stream.SPLIT, seed))
    shuffled = labels[order]
    return torch.cat([order[shuffled == label][:quota] for label, quota in enumerate(quotas.tolist())]).sort().values


def hold_out(split: Split, count: int, seed: int) -> tuple[Split, Split]:
    """Hold out a stratified subset of `count` images, and return the remaining split and the held-out split."""
    held_out = stratified(split.labels, count, seed)
    rest = complement(held_out, len(split.labels))
    return Split(split.images[rest], split.labels[rest]), Split(split.images[held_out], split.labels[held_out])


def complement(indices: Tensor, count: int) -> Tensor:
    """Return the sorted numbers of 0, ..., `count` - 1 that are not in `indices`."""
    return torch.ones(count, dtype=torch.bool).index_fill(0, indices, False).nonzero().squeeze(1)


class IndexBatches(Sampler[Tensor]):
    """Batches of positions from 0 to `count` - 1.

    With `shuffle`, for training, the order depends only on (seed, epoch), and an incomplete last batch is dropped; its
    images appear in other epochs. Without it, for evaluation, each position occurs once, in ascending order.
    """

    def __init__(self, count: int, batch_size: int, shuffle: bool, seed: int = 0) -> None:
        self.count, self.batch_size, self.shuffle, self.seed = count, batch_size, shuffle, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count // self.batch_size if self.shuffle else -(-self.count // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.arange(self.count)
        if self.shuffle:
            order = torch.randperm(self.count, generator=generator_for(Stream.ORDER, self.seed, self.epoch))
        for i in range(len(self)):
            yield order[i * self.batch_size : (i + 1) * self.batch_size]
