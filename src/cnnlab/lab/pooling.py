"""Pooling: reduce each window to one number by any function without parameters, and measure the effect of a shift.

The edges of the photograph serve as a feature map. The map is shifted by one pixel and compared with itself, with and
without pooling. The change is the root mean square of the difference, divided by the standard deviation of the map.

Sources: Zhang et al., "Dive into Deep Learning", 2023, section 7.5.1 (max and average pooling); Goodfellow, Bengio and
Courville, "Deep Learning", 2016, section 9.3 (L2 pooling; invariance to small translations).
"""

from collections.abc import Callable

import torch
from matplotlib.figure import Figure, SubFigure
from torch import Tensor, nn

from cnnlab import ops
from cnnlab.analysis.trace import trace
from cnnlab.figures.maps import draw_map, mark
from cnnlab.figures.style import PALETTE, figure, styled
from cnnlab.lab.finding import Finding, Settings, text_rows
from cnnlab.lab.laplacian import gradient_of
from cnnlab.lab.photograph import photograph

SMALL = torch.tensor([[1.0, 3, 2, 0], [5, 7, 1, 1], [0, 4, 8, 6], [2, 2, 9, 1]])
WINDOWS = (2, 3, 4, 6, 8, 12, 16)
SHOWN = 8  # side in pixels of the pooling window in the figure


def median_pool2d(x: Tensor, kernel_size: int) -> Tensor:
    """Median pooling, an example of pooling by an arbitrary function."""
    return ops.pool2d(x, lambda windows: windows.quantile(0.5, dim=-1), kernel_size)


POOLINGS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "max": ops.max_pool2d, "average": ops.avg_pool2d, "L2": ops.l2_pool2d, "median": median_pool2d,
}  # fmt: skip


def pool(x: Tensor, name: str, window: int) -> Tensor:
    """Pool one map (H, W) with the pooling called `name` and windows that do not overlap."""
    return POOLINGS[name](x[None], window)[0]


def change(before: Tensor, after: Tensor) -> float:
    """The root mean square of `after - before`, in standard deviations of `before`."""
    return ((after - before).square().mean().sqrt() / before.std().clamp(min=1e-9)).item()


def costs(layer: nn.Module, channels: int, size: int) -> dict[str, int]:
    """The parameters and multiplications of a pooling layer on `channels` maps of `size` x `size`."""
    traced = trace(layer, channels, size)
    return {"parameters": traced.parameters, "multiplications": traced.total("multiplications")}


def experiment(settings: Settings) -> Finding:
    image = photograph(settings.image)
    small = {name: pool(SMALL, name, 2) for name in POOLINGS}
    edges = gradient_of(image)
    here, shifted = edges[:, :-1], edges[:, 1:]
    unpooled = change(here, shifted)
    changes = {
        name: {window: change(pool(here, name, window), pool(shifted, name, window)) for window in WINDOWS}
        for name in ("max", "average")
    }
    cost = {"max": costs(nn.MaxPool2d(2), 6, 28), "average": costs(nn.AvgPool2d(2), 6, 28)}
    title = (
        f"A shift by one pixel changes the edges by {unpooled:.0%} of their standard deviation; after 4 x 4 max "
        f"pooling by {changes['max'][4]:.0%}, after 4 x 4 average pooling by {changes['average'][4]:.0%}"
    )
    values = {
        "small": {name: result.tolist() for name, result in small.items()},
        "costs": cost,
        "change": {"none": unpooled, **{name: {str(w): v for w, v in row.items()} for name, row in changes.items()}},
    }
    return Finding(title, describe(small, cost, unpooled, changes), values, draw(image, small, unpooled, changes))


def describe(
    small: dict[str, Tensor],
    cost: dict[str, dict[str, int]],
    unpooled: float,
    changes: dict[str, dict[int, float]],
) -> str:
    """Format the pooled 4 x 4 map, the cost of pooling, and the change by a shift."""
    return "\n".join(
        [
            "a 4 x 4 map and its pooled values, windows of 2 x 2:",
            *text_rows(SMALL),
            *(
                f"{name:<8} " + "; ".join(" ".join(f"{value:5.2f}" for value in row) for row in result.tolist())
                for name, result in small.items()
            ),
            "",
            "cost from 6 x 28 x 28 to 6 x 14 x 14:",
            *(
                f"{name:<8} {row['parameters']} parameters, {row['multiplications']:,} multiplications"
                for name, row in cost.items()
            ),
            "",
            "change of the edges by a shift of one pixel, in standard deviations of the map:",
            f"{'window':<9}{'none':>6}" + "".join(f"{f'{window}x{window}':>7}" for window in WINDOWS),
            *(
                f"{name:<9}{unpooled:>6.2f}" + "".join(f"{value:>7.2f}" for value in by_window.values())
                for name, by_window in changes.items()
            ),
        ]
    )


@styled
def draw(image: Tensor, small: dict[str, Tensor], unpooled: float, changes: dict[str, dict[int, float]]) -> Figure:
    """Draw the small map and the photograph, pooled by each function, above the change by a shift."""
    fig = figure(12.5, 7.4)
    fig.set_layout_engine("constrained", h_pad=0.08)
    upper, lower = fig.subfigures(2, 1, squeeze=False, height_ratios=(1, 0.75)).ravel()
    grid = upper.subplots(2, 5, height_ratios=(1, 0.9))
    for axes, (name, values) in zip(grid[0], {"4 x 4 map": SMALL, **small}.items(), strict=True):
        draw_map(axes, values, name if values is SMALL else f"{name}, 2 x 2 windows")
        side = 2 if values is SMALL else 1
        for number in range(4):
            mark(axes, side * (number // 2), side * (number % 2), (side, side), PALETTE[number])
    draw_map(grid[1][0], image, "photograph")
    for axes, name in zip(grid[1][1:], POOLINGS, strict=True):
        draw_map(axes, pool(image, name, SHOWN), f"{name}, {SHOWN} x {SHOWN} windows")
    draw_shift(lower, gradient_of(image), unpooled, changes)
    return fig


def draw_shift(lower: SubFigure, edges: Tensor, unpooled: float, changes: dict[str, dict[int, float]]) -> None:
    """Draw the change by a shift of one pixel, per pixel and by the size of the window."""
    left, right = lower.subfigures(1, 2, squeeze=False, width_ratios=(1.75, 1)).ravel()
    here, shifted = edges[:, :-1], edges[:, 1:]
    pairs = {"no pooling": (here, shifted)}
    for name in changes:
        pairs[f"{name}, 4 x 4"] = (pool(here, name, 4), pool(shifted, name, 4))
    panels = left.subplots(1, len(pairs))
    for axes, (name, (before, after)) in zip(panels, pairs.items(), strict=True):
        image = axes.imshow(((after - before).abs() / before.std()).numpy(), cmap="magma", vmin=0, vmax=2)
        axes.set_title(f"{name}: change {change(before, after):.2f}", fontsize=10)
        axes.set(xticks=[], yticks=[])
    left.colorbar(
        image, ax=list(panels), orientation="horizontal", shrink=0.5, aspect=40, pad=0.04,
        label="change of the edges by a shift of one pixel, in standard deviations",
    )  # fmt: skip
    plot = right.subplots()
    for (name, by_window), color in zip(changes.items(), PALETTE, strict=False):
        plot.plot([1, *by_window], [unpooled, *by_window.values()], color=color, marker="o", markersize=4, label=name)
    plot.axhline(unpooled, color="#777777", linestyle="--", linewidth=1, label="no pooling")
    plot.set(xscale="log", xlabel="side of the pooling window, pixels", ylabel="change, standard deviations")
    plot.set_xticks([1, *WINDOWS], [str(window) for window in (1, *WINDOWS)])
    plot.minorticks_off()
    plot.set_ylim(bottom=0)
    plot.legend(fontsize=9)
