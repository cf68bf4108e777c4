"""Mixed precision for Lightning's Trainer."""

from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.utilities import GradClipAlgorithmType
from torch.optim import Optimizer


class Bf16Mixed(MixedPrecision):
    """Lightning's bf16-mixed precision, with gradient clipping for fused optimizers.

    Lightning does not clip the gradients of an optimizer that unscales them in its own step. bfloat16 has no loss
    scale, so these gradients are not scaled.
    """

    def __init__(self, device: str) -> None:
        super().__init__("bf16-mixed", device)

    def clip_gradients(
        self,
        optimizer: Optimizer,
        clip_val: int | float = 0.0,
        gradient_clip_algorithm: GradClipAlgorithmType = GradClipAlgorithmType.NORM,
    ) -> None:
        Precision.clip_gradients(self, optimizer, clip_val, gradient_clip_algorithm)
