"""Networks whose answers are known without training."""

import torch
from torch import Tensor, nn


class PatchDetector(nn.Module):
    """Logit 0 is the mean of a map of bright pixels, logit 1 that of a map of dark ones; global average pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, kernel_size=3, padding=1, bias=False)
        self.fc = nn.Linear(2, 2)
        with torch.no_grad():
            self.conv.weight.copy_(torch.stack([torch.ones(1, 3, 3), -torch.ones(1, 3, 3)]) / 9)
            self.fc.weight.copy_(torch.tensor([[5.0, -1.0], [-1.0, 5.0]]))
            self.fc.bias.copy_(torch.tensor([0.0, 0.5]))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.conv(x)).mean((2, 3)))


def with_patch(top: int = 10, left: int = 3, side: int = 5, size: int = 20) -> Tensor:
    """One black image (1, 1, size, size) with a bright square."""
    x = torch.zeros(1, 1, size, size)
    x[..., top : top + side, left : left + side] = 1
    return x


def fraction_in_patch(values: Tensor, top: int = 10, left: int = 3, side: int = 5) -> float:
    """The fraction of the sum of a map (H, W) that lies in the square or within one pixel of it."""
    near = values[top - 1 : top + side + 1, left - 1 : left + side + 1]
    return float(near.sum() / values.sum())
