"""Choosing images: stratified subsets, and the order of batches as a function of seed and epoch."""

from collections.abc import Iterator
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from cnnlab.data.images import Split


class Stream(IntEnum):
    """What random numbers are for: each purpose has streams of its own."""

    SPLIT = 1
    ORDER = 2
    AUGMENTATION = 3
    DROPOUT = 4


def generator_for(stream: Stream, *key: int) -> torch.Generator:
    """A generator on the CPU whose numbers are a function of purpose and `key` alone, such as (seed, epoch, step).

    Each part of `key` must be below 2^32.
    """
    state = np.random.SeedSequence((stream, *key)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def stratified(labels: Tensor, count: int, seed: int) -> Tensor:
    """Sorted indices of `count` images in which each class has its share, rounded by largest remainders.

    Args:
        labels: (N,) int64.
        count: between 0 and N.
    """
    sizes = torch.bincount(labels)
    exact = sizes.double() * count / len(labels)
    quota = exact.floor().long()
    left = count - int(quota.sum())
    quota[torch.argsort(exact - quota, descending=True, stable=True)[:left]] += 1
    order = torch.randperm(len(labels), generator=generator_for(Stream.SPLIT, seed))
    shuffled = labels[order]
    chosen = [order[shuffled == label][: int(quota[label])] for label in range(len(sizes))]
    return torch.cat(chosen).sort().values


def hold_out(split: Split, count: int, seed: int) -> tuple[Split, Split]:
    """`split` without a stratified `count` of its images, and those images."""
    held = stratified(split.labels, count, seed)
    kept = torch.ones(len(split.labels), dtype=torch.bool).index_fill(0, held, False)
    return Split(split.images[kept], split.labels[kept]), Split(split.images[held], split.labels[held])


class IndexBatches(Sampler[Tensor]):
    """Batches of positions in 0 ... `count` - 1.

    In training (`shuffle`) the order depends on (seed, epoch) alone and the incomplete last batch is left out: another
    order in the next epoch brings its images in. In evaluation every image comes once, in order.
    """

    def __init__(self, count: int, batch_size: int, shuffle: bool, seed: int = 0) -> None:
        self.count, self.batch_size, self.shuffle, self.seed = count, batch_size, shuffle, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count // self.batch_size if self.shuffle else -(-self.count // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.arange(self.count)
        if self.shuffle:
            order = torch.randperm(self.count, generator=generator_for(Stream.ORDER, self.seed, self.epoch))
        for i in range(len(self)):
            yield order[i * self.batch_size : (i + 1) * self.batch_size]
