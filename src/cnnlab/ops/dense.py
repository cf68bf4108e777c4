"""Fully connected layer, dropout and cross-entropy."""

import torch
from torch import Tensor

from cnnlab.ops.activation import log_softmax


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias: (..., D) and (P, D) to (..., P).

    Raises:
        ValueError: the numbers of features of `x` and `weight` differ.
    """
    if x.shape[-1] != weight.shape[-1]:
        raise ValueError(f"x must have {weight.shape[-1]} features for this weight, got {x.shape[-1]}")
    y = x @ weight.mT
    return y if bias is None else y + bias


def dropout(x: Tensor, p: float = 0.5, training: bool = True, generator: torch.Generator | None = None) -> Tensor:
    """Set each value to 0 with probability `p` in training; the identity in evaluation.

    The other values are divided by 1 - p (inverted dropout), which preserves the expectation, so that evaluation needs
    no correction. Srivastava et al., "Dropout", 2014, section 10.

    Raises:
        ValueError: `p` is not a probability.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p must be between 0 and 1, got {p}")
    if not training or p == 0:
        return x
    kept = torch.rand(x.shape, generator=generator, device=x.device) >= p
    return torch.where(kept, x / (1 - p), 0.0) if p < 1 else x * 0


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-log(softmax(logits)) at the label, averaged over the batch.

    Args:
        logits: (N, K).
        labels: (N,), integers below K.

    Raises:
        ValueError: the shapes do not match.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"labels must have one entry per row of logits {tuple(logits.shape)}, got {tuple(labels.shape)}"
        )
    return -log_softmax(logits, 1).gather(1, labels[:, None]).mean()
