"""The 8x8 handwritten digits of scikit-learn, and a short training on them."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.data.images import Split
from cnnlab.data.splits import hold_out

Images = tuple[Tensor, Tensor]  # float images (N, 1, H, W) in [0, 1] and labels (N,)

BATCH = 40
LEARNING_RATE = 3e-3  # of Adam


def digits(train_size: int, seed: int) -> tuple[Images, Images]:
    """Split the 1,797 digits into a stratified random sample of `train_size` digits and the rest."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = Split(torch.from_numpy(bunch.images).byte().unsqueeze(1), torch.from_numpy(bunch.target).long())
    rest, sample = hold_out(images, train_size, seed)
    return (sample.images / 16, sample.labels), (rest.images / 16, rest.labels)  # 17 gray levels


def trained(
    build: Callable[[], nn.Module],
    data: Images,
    epochs: int,
    seed: int,
    after_epoch: Callable[[nn.Module], None] = lambda net: None,
) -> nn.Module:
    """Build a network, train it with Adam and return it in evaluation mode.

    Args:
        build: returns the untrained network.
        data: the training images and their labels.
        epochs: number of epochs.
        seed: determines the initial weights, the order of the images and dropout.
        after_epoch: called with the network, in evaluation mode, after each epoch.
    """
    images, labels = data
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build()
        optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, fused=True)
        for _ in range(epochs):
            net.train()
            for batch in torch.randperm(len(labels)).split(BATCH):
                optimizer.zero_grad()
                F.cross_entropy(net(images[batch]), labels[batch]).backward()
                optimizer.step()
            net.eval()
            after_epoch(net)
    return net


@torch.no_grad()
def evaluate(net: nn.Module, data: Images) -> tuple[float, float]:
    """The mean cross-entropy over `data`, and the accuracy in percent."""
    images, labels = data
    logits = net(images)
    return float(F.cross_entropy(logits, labels)), 100 * float((logits.argmax(1) == labels).double().mean())
