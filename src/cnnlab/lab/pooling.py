"""Pooling: one number for each window, by any function, without a parameter; and how much a shift then changes.

The photograph's edges stand for a feature map. It is moved by one pixel, and compared before and after pooling: the
change is the root mean square of the difference over the standard deviation of what is compared.
"""

from collections.abc import Callable

import torch
from matplotlib.figure import Figure, SubFigure
from torch import Tensor, nn

from cnnlab import ops
from cnnlab.analysis.trace import trace
from cnnlab.figures.maps import draw_map, mark
from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.finding import Finding, Settings
from cnnlab.lab.laplacian import gradient_of
from cnnlab.lab.photograph import photograph

SMALL = torch.tensor([[1.0, 3, 2, 0], [5, 7, 1, 1], [0, 4, 8, 6], [2, 2, 9, 1]])
WINDOWS = (2, 3, 4, 6, 8, 12, 16)
SHOWN = 8  # pixels of the window that pools the photograph in the picture


def median_pool2d(x: Tensor, kernel_size: int) -> Tensor:
    """Pooling by a function of one's own."""
    return ops.pool2d(x, lambda windows: windows.quantile(0.5, dim=-1), kernel_size)


POOLINGS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "max": ops.max_pool2d, "average": ops.avg_pool2d, "L2": ops.l2_pool2d, "median": median_pool2d,
}  # fmt: skip


def pool(x: Tensor, name: str, window: int) -> Tensor:
    """One map (H, W) by the pooling called `name`, each window beside the one before."""
    return POOLINGS[name](x[None], window)[0]


def change(before: Tensor, after: Tensor) -> float:
    """How far `after` is from `before`, in standard deviations of `before`."""
    return ((after - before).square().mean().sqrt() / before.std().clamp(min=1e-9)).item()


def costs(layer: nn.Module, channels: int, size: int) -> dict[str, int]:
    """Parameters and multiplications of a pooling, for a map of so many channels."""
    taken = trace(layer, channels, size)
    return {"parameters": taken.parameters, "multiplications": taken.total("multiplications")}


def experiment(settings: Settings) -> Finding:
    picture = photograph(settings.image)
    small = {name: pool(SMALL, name, 2) for name in POOLINGS}
    edges = gradient_of(picture)
    here, moved = edges[:, :-1], edges[:, 1:]
    bare = change(here, moved)
    shifts = {
        name: {window: change(pool(here, name, window), pool(moved, name, window)) for window in WINDOWS}
        for name in ("max", "average")
    }
    price = {"max": costs(nn.MaxPool2d(2), 6, 28), "average": costs(nn.AvgPool2d(2), 6, 28)}
    title = (
        f"Moved by one pixel, the photograph's edges change by {bare:.0%} of their spread; after 4 x 4 max pooling by "
        f"{shifts['max'][4]:.0%}, after average pooling by {shifts['average'][4]:.0%}"
    )
    values = {
        "small": {name: result.tolist() for name, result in small.items()},
        "costs": price,
        "change": {"none": bare, **{name: {str(w): v for w, v in row.items()} for name, row in shifts.items()}},
    }
    return Finding(title, describe(small, price, bare, shifts), values, draw(picture, small, bare, shifts))


def describe(
    small: dict[str, Tensor], price: dict[str, dict[str, int]], bare: float, shifts: dict[str, dict[int, float]]
) -> str:
    """The small map pooled, what pooling costs, and what a shift changes."""
    return "\n".join(
        [
            "four numbers become one, windows of 2 x 2:",
            *("  " + " ".join(f"{value:2.0f}" for value in row) for row in SMALL.tolist()),
            *(
                f"{name:<8} " + "; ".join(" ".join(f"{value:5.2f}" for value in row) for row in result.tolist())
                for name, result in small.items()
            ),
            "",
            "6 x 28 x 28 to 6 x 14 x 14: "
            + "; ".join(
                f"{name} {row['parameters']} parameters, {row['multiplications']:,} multiplications"
                for name, row in price.items()
            ),
            "",
            "edges moved by one pixel, change in standard deviations of what is compared:",
            f"{'window':<9}{'none':>6}" + "".join(f"{f'{window}x{window}':>7}" for window in WINDOWS),
            *(
                f"{name:<9}{bare:>6.2f}" + "".join(f"{value:>7.2f}" for value in by_window.values())
                for name, by_window in shifts.items()
            ),
        ]
    )


@styled
def draw(picture: Tensor, small: dict[str, Tensor], bare: float, shifts: dict[str, dict[int, float]]) -> Figure:
    """The small map and the photograph, pooled by each function; below, what the shift changes."""
    drawn = figure(12.5, 7.4)
    drawn.set_layout_engine("constrained", h_pad=0.08)
    upper, lower = drawn.subfigures(2, 1, squeeze=False, height_ratios=(1, 0.75)).ravel()
    shape = picture.shape[1] / picture.shape[0]
    grid = upper.subplots(2, 5, height_ratios=(1, 0.9), width_ratios=[shape] * 5)
    for axes, (name, values) in zip(grid[0], {"4 x 4": SMALL, **small}.items(), strict=True):
        draw_map(axes, values, name)
        side = 2 if name == "4 x 4" else 1
        for number in range(4):
            mark(axes, side * (number // 2), side * (number % 2), (side, side), PALETTE[number])
    draw_map(grid[1][0], picture, "photograph")
    for axes, name in zip(grid[1][1:], POOLINGS, strict=True):
        draw_map(axes, pool(picture, name, SHOWN), f"{name} of {SHOWN} x {SHOWN}")
    draw_shift(lower, gradient_of(picture), bare, shifts)
    return drawn


def draw_shift(lower: SubFigure, edges: Tensor, bare: float, shifts: dict[str, dict[int, float]]) -> None:
    """What a move by one pixel changes, pixel by pixel on one scale, and by the window's size."""
    left, right = lower.subfigures(1, 2, squeeze=False, width_ratios=(1.75, 1)).ravel()
    here, moved = edges[:, :-1], edges[:, 1:]
    pairs = {"edges": (here, moved)}
    for name in shifts:
        pairs[f"{name} of 4 x 4"] = (pool(here, name, 4), pool(moved, name, 4))
    panels = left.subplots(1, len(pairs))
    for axes, (name, (before, after)) in zip(panels, pairs.items(), strict=True):
        image = axes.imshow(((after - before).abs() / before.std()).numpy(), cmap="magma", vmin=0, vmax=2)
        axes.set_title(f"{name}: change {change(before, after):.2f}", fontsize=10)
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
    left.colorbar(
        image, ax=list(panels), orientation="horizontal", shrink=0.5, aspect=40, pad=0.04,
        label="change of the edges moved by one pixel / standard deviation",
    )  # fmt: skip
    plot = right.subplots()
    for (name, by_window), color in zip(shifts.items(), PALETTE, strict=False):
        windows, changes = [1, *by_window], [bare, *by_window.values()]
        plot.plot(windows, changes, color=color, marker="o", markersize=4, label=name)
    plot.axhline(bare, color="#777777", linestyle="--", linewidth=1, label="no pooling")
    plot.set(xscale="log", xlabel="pixels of the window's side", ylabel="change / standard deviation")
    plot.set_xticks([1, *WINDOWS], [str(window) for window in (1, *WINDOWS)])
    plot.minorticks_off()
    plot.set_ylim(bottom=0)
    plot.legend(fontsize=9)
