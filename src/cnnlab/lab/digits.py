"""Scikit-learn's handwritten digits as they are, 8x8 pixels, and a short training on them."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.data.images import Split
from cnnlab.data.splits import hold_out

Images = tuple[Tensor, Tensor]
"""Float images (N, 1, H, W) from 0 to 1 and their labels (N,)."""

BATCH = 40
RATE = 3e-3  # Adam's


def digits(train_size: int, seed: int) -> tuple[Images, Images]:
    """`train_size` of the 1,797 digits, drawn by `seed` with all classes alike, and the others."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    whole = Split(torch.from_numpy(bunch.images).byte().unsqueeze(1), torch.from_numpy(bunch.target).long())
    rest, drawn = hold_out(whole, train_size, seed)
    return (drawn.images / 16, drawn.labels), (rest.images / 16, rest.labels)  # 17 gray levels


def trained(
    build: Callable[[], nn.Module],
    data: Images,
    epochs: int,
    seed: int,
    after_epoch: Callable[[nn.Module], None] = lambda net: None,
) -> nn.Module:
    """What `build` makes, trained with Adam and in evaluation mode; `seed` decides weights, order and dropout.

    Args:
        after_epoch: is given the network, in evaluation mode, after each epoch.
    """
    images, labels = data
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build()
        optimizer = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
        for _ in range(epochs):
            net.train()
            for batch in torch.randperm(len(labels)).split(BATCH):
                loss = F.cross_entropy(net(images[batch]), labels[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            net.eval()
            after_epoch(net)
    return net


@torch.no_grad()
def scores(net: nn.Module, data: Images) -> tuple[float, float]:
    """The mean cross-entropy over `data`, and the accuracy in per cent."""
    images, labels = data
    logits = net(images)
    return float(F.cross_entropy(logits, labels)), 100 * float((logits.argmax(1) == labels).double().mean())
