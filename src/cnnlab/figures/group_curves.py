"""Groups of runs, one color each: loss and accuracy by epoch, and gradients by layer if the runs recorded them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from cnnlab.figures.style import PALETTE, figure, save, styled

COLORS = (*PALETTE, "#7a4fa3", "#555555")
BOTH = 3  # up to this number of groups, a panel shows training and validation
WIDE = 20.0  # the loss axis is logarithmic above this ratio of the largest to the smallest loss
DOTTED = 30  # up to this number of layers, each layer has a dot
GRADIENT = "gradient/"
LEGEND = 12  # characters per inch in the legend

Rows = Sequence[Mapping[str, float | None]]
Curve = list[tuple[float, float, float]]  # epoch, mean over seeds, sample standard deviation


@styled
def draw_groups(groups: Mapping[str, Sequence[Rows]], path: Path) -> Path:
    """Draw the mean of each group in a band of ± one sample standard deviation.

    Training curves are dashed and validation curves solid; with a single epoch they are hollow and filled points. The
    gradient norms of the last epoch are fig as thick lines, those of the first epoch as thin lines.

    Args:
        groups: for each group, its runs as rows of `metrics.csv`. The columns `gradient/<layer>` hold the norms of the
            gradients, in order of depth.
        path: the PNG file to write.

    Returns:
        `path`.
    """
    with_gradients = any(_layers(runs) for runs in groups.values())
    width = 12.6 if with_gradients else 9.0
    fig = figure(width, 3.6)
    colors = dict(zip(groups, (COLORS[i % len(COLORS)] for i in range(len(groups))), strict=True))
    loss, acc, *others = fig.subplots(1, 3 if with_gradients else 2, gridspec_kw={"wspace": 0.06})
    both = len(groups) <= BOTH
    _draw_metric(loss, groups, colors, "loss", ("train", "val") if both else ("train",))
    has_validation = any(curve_of(runs, "val/acc") for runs in groups.values())
    _draw_metric(acc, groups, colors, "acc", ("train", "val") if both else ("val" if has_validation else "train",))
    for axes in others:
        _draw_gradients(axes, groups, colors)
    handles = [Line2D([], [], color=color, linewidth=2, label=name) for name, color in colors.items()]
    columns = int(width * LEGEND) // (max(map(len, groups)) + 6)
    fig.legend(handles=handles, loc="outside lower center", ncols=max(1, min(len(handles), columns)), fontsize=9)
    return save(fig, path)


def curve_of(runs: Iterable[Rows], column: str) -> Curve:
    """The mean and standard deviation of `column` by epoch, over the runs that have a value."""
    by_epoch: dict[float, list[float]] = {}
    for rows in runs:
        for row in rows:
            epoch, value = row.get("epoch"), row.get(column)
            if epoch is not None and value is not None:
                by_epoch.setdefault(epoch, []).append(value)
    return [(e, mean(values), stdev(values) if len(values) > 1 else 0.0) for e, values in sorted(by_epoch.items())]


def _draw_metric(
    axes: Axes, groups: Mapping[str, Sequence[Rows]], colors: Mapping[str, str], metric: str, stages: Sequence[str]
) -> None:
    """Draw one panel; `stages` contains `train`, `val` or both."""
    scale, title = {"loss": (1, "loss"), "acc": (100, "accuracy, %")}[metric]
    epochs = 0
    shown: list[float] = []
    for name, runs in groups.items():
        for stage in stages:
            curve = curve_of(runs, f"{stage}/{metric}")
            if curve:
                epochs = max(epochs, len(curve))
                shown += [scale * middle for _, middle, _ in curve]
                _draw_curve(axes, curve, scale, colors[name], dashed=stage == "train")
    words = {"train": "training", "val": "validation"}
    legend = "training hollow, validation filled" if epochs == 1 else "training dashed, validation solid"
    axes.set_title(f"{words[stages[0]]} {title}" if len(stages) == 1 else f"{title}: {legend}", fontsize=10)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if metric == "loss" and shown:
        _scale_loss(axes, shown)


def _draw_curve(axes: Axes, curve: Curve, scale: float, color: str, dashed: bool) -> None:
    epochs = [epoch for epoch, _, _ in curve]
    heights = [scale * middle for _, middle, _ in curve]
    marker = "o" if len(curve) == 1 else None
    style = (0, (4, 1.6)) if dashed else "-"
    axes.plot(
        epochs, heights, color=color, linestyle=style, linewidth=1.4, marker=marker, markersize=5,
        markerfacecolor="white" if dashed else color,
    )  # fmt: skip
    if any(std for _, _, std in curve):
        low = [scale * (middle - std) for _, middle, std in curve]
        high = [scale * (middle + std) for _, middle, std in curve]
        axes.fill_between(epochs, low, high, color=color, alpha=0.15, linewidth=0)


def _scale_loss(axes: Axes, shown: Sequence[float]) -> None:
    """Start the axis at 0, or make it logarithmic for a wide range of losses; the bands do not affect the limits."""
    positive = [value for value in shown if value > 0]
    if positive and max(positive) > WIDE * min(positive):
        axes.set_yscale("log")
        axes.set_ylim(min(positive) / 1.6, max(positive) * 1.6)
    else:
        axes.set_ylim(0, 1.08 * max(shown, default=1) or 1)


def _layers(runs: Sequence[Rows]) -> list[str]:
    """The gradient columns, in order of depth."""
    return list(dict.fromkeys(key for rows in runs for row in rows[:1] for key in row if key.startswith(GRADIENT)))


def _draw_gradients(axes: Axes, groups: Mapping[str, Sequence[Rows]], colors: Mapping[str, str]) -> None:
    marker = "o" if max(len(_layers(runs)) for runs in groups.values()) <= DOTTED else None
    for name, runs in groups.items():
        curves = {depth: curve_of(runs, layer) for depth, layer in enumerate(_layers(runs), start=1)}
        for epoch, width, alpha in ((0, 0.8, 0.55), (-1, 1.6, 1.0)):
            norms = {depth: curve[epoch][1] for depth, curve in curves.items() if curve and curve[epoch][1] > 0}
            axes.plot(
                list(norms), list(norms.values()), color=colors[name], linewidth=width, alpha=alpha, marker=marker,
                markersize=2 * width,
            )  # fmt: skip
    axes.set_yscale("log")
    axes.set_xlim(left=0.5)
    axes.set_title("gradient norm by layer: thin first, thick last epoch", fontsize=10)
    axes.set_xlabel("layer, counted from the input")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
