"""Worked examples of the cost of layers, from the study notes and the papers: built, traced and compared."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.analysis.trace import Trace, trace
from cnnlab.analysis.trace_records import size_of


class Branches(nn.Module):
    """Branches that read the same map; their results are concatenated along the channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


@dataclass(frozen=True)
class Example:
    """Alternatives for the same task: `ways` builds each network by name, for maps of `channels` x `size` x `size`."""

    name: str
    channels: int
    size: int
    ways: dict[str, Callable[[], nn.Module]]

    def traces(self) -> dict[str, Trace]:
        with torch.device("meta"):
            return {way: trace(build(), self.channels, self.size) for way, build in self.ways.items()}


def conv(in_channels: int, out_channels: int, kernel_size: int, groups: int = 1) -> nn.Conv2d:
    """A convolution that preserves the map's size; the examples count no biases."""
    return nn.Conv2d(
        in_channels, out_channels, kernel_size=kernel_size, padding=kernel_size // 2, groups=groups, bias=False
    )


def inception_3a() -> nn.Module:
    """Szegedy et al., "Going deeper with convolutions", 2014, table 1 and figure 2b."""
    return Branches(
        conv(192, 64, 1),
        nn.Sequential(conv(192, 96, 1), conv(96, 128, 3)),
        nn.Sequential(conv(192, 16, 1), conv(16, 32, 5)),
        nn.Sequential(nn.MaxPool2d(kernel_size=3, stride=1, padding=1), conv(192, 32, 1)),
    )


def naive_3a() -> nn.Module:
    """Figure 2a: the same branches without 1x1 convolutions before them; pooling passes on all 192 channels."""
    pool = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
    return Branches(conv(192, 64, 1), conv(192, 128, 3), conv(192, 32, 5), pool)


EXAMPLES = {
    example.name: example
    for example in (
        Example(
            "32x32 to 30x30", 1, 32,
            {
                "fully connected": lambda: nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 30 * 30, bias=False)),
                "one 3x3 kernel": lambda: nn.Conv2d(1, 1, kernel_size=3, bias=False),
            },
        ),
        Example(
            "192 to 32 channels, 28x28", 192, 28,
            {
                "5x5": lambda: conv(192, 32, 5),
                "1x1 to 16, then 5x5": lambda: nn.Sequential(conv(192, 16, 1), conv(16, 32, 5)),
            },
        ),
        Example(
            "64 to 128 channels, 56x56", 64, 56,
            {
                "3x3": lambda: conv(64, 128, 3),
                "3x3 depthwise, then 1x1": lambda: nn.Sequential(conv(64, 64, 3, groups=64), conv(64, 128, 1)),
            },
        ),
        Example(
            "pooling 16 maps of 28x28", 16, 28,
            {
                "average of 2x2": lambda: nn.AvgPool2d(kernel_size=2),
                "maximum of 2x2": lambda: nn.MaxPool2d(kernel_size=2),
            },
        ),
        Example("inception 3a, 28x28", 192, 28, {"naive": naive_3a, "as published": inception_3a}),
        Example(
            "a field of 5x5", 64, 56,
            {
                "5x5": lambda: conv(64, 64, 5),
                "3x3, then 3x3": lambda: nn.Sequential(conv(64, 64, 3), conv(64, 64, 3)),
            },
        ),
    )
}  # fmt: skip


def worked_records() -> list[dict[str, Any]]:
    """One row per way, with its multiplications in percent of the first way's."""
    records = []
    for example in EXAMPLES.values():
        traces = example.traces()
        first = next(iter(traces.values())).total("multiplications")
        for index, (way, traced) in enumerate(traces.items()):
            records.append(
                {
                    "example": "" if index else example.name,
                    "way": way,
                    "output": "x".join(map(str, traced.rows[-1].shape)),
                    "weights": traced.total("weights"),
                    "multiplications": traced.total("multiplications"),
                    "fraction": 100 * traced.total("multiplications") / first,
                    "field": size_of(traced.rows[-1].field),
                }
            )
    return records
