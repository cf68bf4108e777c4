"""Fully connected layers, dropout, and the loss of a classifier."""

import torch
from torch import Tensor

from cnnlab.ops.activation import log_softmax


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Each output is a weighted sum of all inputs: (..., D) and (P, D) to (..., P).

    Raises:
        ValueError: the input is not as long as the weights are.
    """
    if x.shape[-1] != weight.shape[-1]:
        raise ValueError(f"the input has {x.shape[-1]} features, the weights are for {weight.shape[-1]}")
    y = x @ weight.mT
    return y if bias is None else y + bias


def dropout(x: Tensor, p: float = 0.5, training: bool = True, generator: torch.Generator | None = None) -> Tensor:
    """Set each number to 0 with probability `p` in training, and change nothing in testing.

    The survivors are divided by 1 - p (inverted dropout), so that each number keeps its expectation and a test needs
    no correction. Srivastava et al., "Dropout", 2014, section 10.

    Raises:
        ValueError: p is no probability.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p must be from 0 to 1, got {p}")
    if not training or p == 0:
        return x
    kept = torch.rand(x.shape, generator=generator, device=x.device) >= p
    return torch.where(kept, x / (1 - p), 0.0) if p < 1 else x * 0


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over the batch of minus the logarithm of the probability that softmax gives the label.

    Args:
        logits: (N, K).
        labels: (N,), whole numbers below K.

    Raises:
        ValueError: there are not as many labels as rows of logits.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(f"there are {len(logits)} rows of logits and {len(labels)} labels")
    return -log_softmax(logits, 1).gather(1, labels[:, None]).mean()
