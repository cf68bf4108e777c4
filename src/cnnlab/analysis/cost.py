"""What a network costs: parameters and multiply-accumulates."""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(net: nn.Module) -> int:
    """Weights and biases that are trained."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def count_macs(net: nn.Module, in_channels: int, image_size: int) -> int:
    """Multiply-accumulates of convolutions and matrix products for one image, from a pass without values."""
    shadow = copy.deepcopy(net).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shadow(torch.empty(1, in_channels, image_size, image_size, device="meta"))
    return counter.get_total_flops() // 2
