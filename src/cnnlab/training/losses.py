"""Losses of logits (N, C) and of labels (N,) or targets (N, C). Each row of targets sums to 1."""

import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.limits import FractionBelow1, NonNegative, checked


class ClassLoss(nn.Module):
    """Base class of losses with label smoothing.

    Args:
        label_smoothing: fraction of each target that is distributed evenly over all classes.
    """

    @checked
    def __init__(self, label_smoothing: FractionBelow1 = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def targets(self, logits: Tensor, target: Tensor) -> Tensor:
        """Convert labels (N,) or targets (N, C) to smoothed targets (N, C)."""
        if target.ndim == 1:
            target = F.one_hot(target, logits.shape[1])
        return target.to(logits.dtype) * (1 - self.label_smoothing) + self.label_smoothing / logits.shape[1]


class CrossEntropy(ClassLoss):
    """Mean over the batch of -sum_c t_c log p_c."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(logits, target, label_smoothing=self.label_smoothing)


class SquaredError(ClassLoss):
    """Mean over the batch of sum_c (z_c - t_c)^2, where z are the logits."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return (logits - self.targets(logits, target)).square().sum(1).mean()


class Focal(ClassLoss):
    """Mean over the batch of -sum_c t_c (1 - p_c)^gamma log p_c: Lin et al., "Focal loss", 2017, equation 4.

    Args:
        gamma: larger values reduce the weight of well-classified images; 0 is the cross-entropy.
        label_smoothing: see `ClassLoss`.
    """

    @checked
    def __init__(self, gamma: NonNegative = 2.0, label_smoothing: FractionBelow1 = 0.0) -> None:
        super().__init__(label_smoothing)
        self.gamma = gamma

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        log_p = F.log_softmax(logits, dim=1)
        weight = (1 - log_p.exp()) ** self.gamma
        return -(self.targets(logits, target) * weight * log_p).sum(1).mean()
