"""Cost and receptive field of one function call, from the shapes of its arguments.

A rule takes the function's result and then the function's own arguments, with their own names. All counts are for the
given batch; `trace` passes one image.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from cnnlab.analysis.field import Window

Size = int | Sequence[int]
Windows = tuple[Window, Window]


@dataclass(frozen=True)
class Effect:
    """The cost and the receptive field of one function call.

    Attributes:
        kind: label of the function in the table, such as `conv 3x3`.
        windows: vertical and horizontal window in which a unit reads its input; None for its own position only.
        macs: multiply-accumulates of a convolution or a matrix product.
        operations: comparisons, additions and multiplications of pooling and normalization.
        multiplications: the multiplications among `macs` or `operations`.
        whole: whether each unit of the result reads the whole map.
    """

    kind: str
    windows: Windows | None = None
    macs: int = 0
    operations: int = 0
    multiplications: int = 0
    whole: bool = False

    @property
    def layer(self) -> bool:
        """Whether it counts as a layer: papers count convolutions and fully connected layers."""
        return self.macs > 0


def pair(size: Size) -> tuple[int, int]:
    """`size` along both axes."""
    if isinstance(size, int):
        return size, size
    values = tuple(size)
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


def windows_of(size: Size, stride: Size, padding: Size | str, dilation: Size = 1) -> Windows:
    sizes, strides, dilations = pair(size), pair(stride), pair(dilation)
    if padding == "same":
        padding = [d * (k - 1) // 2 for d, k in zip(dilations, sizes, strict=True)]
    paddings = (0, 0) if isinstance(padding, str) else pair(padding)
    vertical, horizontal = (Window(*values) for values in zip(sizes, strides, paddings, dilations, strict=True))
    return vertical, horizontal


def windows_text(windows: Windows) -> str:
    """`3x3`, with `/2` for a stride of 2 and `:2` for a dilation of 2."""
    rows, columns = windows
    text = f"{rows.size}x{columns.size}"
    if rows.stride > 1 or columns.stride > 1:
        text += f"/{rows.stride}" if rows.stride == columns.stride else f"/{rows.stride}x{columns.stride}"
    return text + (f":{rows.dilation}" if rows.dilation > 1 else "")


def conv2d(
    out: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None = None,
    stride: Size = 1, padding: Size | str = 0, dilation: Size = 1, groups: int = 1, method: str = "torch",
) -> Effect:  # fmt: skip
    """One multiply-accumulate per output and weight of its filter, whichever `method` computes it."""
    windows = windows_of(weight.shape[2:], stride, padding, dilation)
    macs = out.numel() * weight[0].numel()
    depthwise = groups == input.shape[1]
    grouping = "" if groups == 1 else " depthwise" if depthwise else f", {groups} groups"
    return Effect(f"conv {windows_text(windows)}{grouping}", windows, macs=macs, multiplications=macs)


def linear(out: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Effect:
    macs = out.numel() * weight.shape[1]
    return Effect("linear", macs=macs, multiplications=macs)


def matmul(out: Tensor, input: Tensor, other: Tensor) -> Effect:
    macs = out.numel() * input.shape[-1]
    return Effect("matmul", macs=macs, multiplications=macs, whole=True)


def max_pool2d(
    out: Tensor, input: Tensor, kernel_size: Size, stride: Size | None = None,
    padding: Size = 0, dilation: Size = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Effect:  # fmt: skip
    """The maximum of n values takes n - 1 comparisons."""
    windows = windows_of(kernel_size, kernel_size if stride is None else stride, padding, dilation)
    values = math.prod(pair(kernel_size))
    return Effect(f"max pool {windows_text(windows)}", windows, operations=out.numel() * (values - 1))


def avg_pool2d(
    out: Tensor, input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Effect:  # fmt: skip
    """The mean of n values takes n - 1 additions and one multiplication."""
    windows = windows_of(kernel_size, stride or kernel_size, padding)
    operations = out.numel() * math.prod(pair(kernel_size))
    return Effect(f"avg pool {windows_text(windows)}", windows, operations=operations, multiplications=out.numel())


def adaptive_pool(kind: str, multiplies: bool) -> Callable[..., Effect]:
    def rule(out: Tensor, input: Tensor, output_size: Any, return_indices: bool = False) -> Effect:
        before, after = input.shape[-2:], out.shape[-2:]
        goal = f"{kind} to {after[0]}x{after[1]}"
        if before == after and after != (1, 1):
            return Effect(goal)
        operations = input.numel() if multiplies else input.numel() - out.numel()
        multiplications = out.numel() if multiplies else 0
        if after == (1, 1):
            return Effect(f"global {kind}", operations=operations, multiplications=multiplications, whole=True)
        if any(size % parts for size, parts in zip(before, after, strict=True)):
            raise ValueError(f"output_size must divide the map's size {tuple(before)}, got {tuple(after)}")
        sizes = [size // parts for size, parts in zip(before, after, strict=True)]
        windows = windows_of(sizes, sizes, 0)
        return Effect(goal, windows, operations=operations, multiplications=multiplications)

    return rule


def mean(out: Tensor, input: Tensor, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Effect:
    """Global average pooling if it reduces both spatial axes."""
    dims = range(input.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    spatial = input.ndim >= 4 and {input.ndim - 2, input.ndim - 1} <= {axis % input.ndim for axis in dims}
    kind = "global avg pool" if spatial else "mean"
    return Effect(kind, operations=input.numel(), multiplications=out.numel(), whole=spatial)


def batch_norm(out: Tensor, input: Tensor, *args: Any, **kwargs: Any) -> Effect:
    """One multiplication and one addition per value, in evaluation mode."""
    return Effect("batch norm", operations=2 * out.numel(), multiplications=out.numel())


def group_norm(out: Tensor, input: Tensor, *args: Any, **kwargs: Any) -> Effect:
    """Per value, 4 operations for mean and variance, one multiplication and one addition; reads the whole map."""
    return Effect("group norm", operations=6 * out.numel(), multiplications=2 * out.numel(), whole=True)


def local_response_norm(out: Tensor, input: Tensor, size: int, *args: Any, **kwargs: Any) -> Effect:
    """Per value: a square, `size` - 1 additions over neighboring channels, times alpha, plus k, a power, a division."""
    return Effect("local resp norm", operations=(size + 4) * out.numel(), multiplications=3 * out.numel())


def pad(out: Tensor, input: Tensor, pad: Sequence[int], *args: Any, **kwargs: Any) -> Effect:
    """Zero padding; `pad` begins with left, right, top, bottom."""
    left, _, top, *_ = (*pad, 0, 0, 0)
    return Effect("pad", (Window(1, padding=top), Window(1, padding=left)))


def take(out: Tensor, input: Tensor, index: Any) -> Effect:
    """Indexing; a step along a spatial axis increases the jump."""
    indices = [part for part in (index if isinstance(index, tuple) else (index,)) if part is not None]
    if Ellipsis in indices:
        place = indices.index(Ellipsis)
        indices[place : place + 1] = [slice(None)] * (input.ndim - len(indices) + 1)
    spatial = (indices + [slice(None)] * input.ndim)[2:4] if input.ndim == 4 else []
    if any(not isinstance(part, slice) for part in spatial):
        raise ValueError(f"index must have slices along the spatial axes, got {index!r}")
    windows = [Window(1, stride=part.step or 1, padding=-(part.start or 0)) for part in spatial]
    return Effect("slice", (windows[0], windows[1]) if windows else None)


def hardtanh(out: Tensor, input: Tensor, min_val: float = -1, max_val: float = 1, inplace: bool = False) -> Effect:
    return Effect("relu6" if (min_val, max_val) == (0, 6) else "hardtanh")


def dropout(out: Tensor, input: Tensor, p: float = 0.5, *args: Any, **kwargs: Any) -> Effect:
    """The identity in evaluation mode; `kind` shows the probability used in training."""
    return Effect(f"dropout {p:g}")


RULES: dict[str, Callable[..., Effect]] = {
    "conv2d": conv2d,
    "linear": linear,
    "matmul": matmul,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "adaptive_avg_pool2d": adaptive_pool("avg pool", multiplies=True),
    "adaptive_max_pool2d": adaptive_pool("max pool", multiplies=False),
    "mean": mean,
    "batch_norm": batch_norm,
    "group_norm": group_norm,
    "local_response_norm": local_response_norm,
    "pad": pad,
    "slice": take,
    "cat": lambda out, *args, **kwargs: Effect("concat"),
    "hardtanh": hardtanh,
    "dropout": dropout,
}

# Each unit of the result reads the same position of each input, in any of its channels.
POINTWISE = {
    "add", "sub", "mul", "div", "neg", "pow", "square", "sqrt", "exp", "abs", "clamp", "maximum", "minimum",
    "relu", "hardtanh", "leaky_relu", "elu", "gelu", "silu", "hardswish", "hardsigmoid", "sigmoid", "tanh", "softplus",
    "dropout", "dropout2d", "chunk", "split", "contiguous", "clone", "to", "float", "type", "detach",
}  # fmt: skip

# The result has the values of the input in another arrangement.
ARRANGING = {"flatten", "view", "reshape", "permute", "transpose", "squeeze", "unsqueeze", "expand", "unflatten"}


def effect_of(name: str, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Effect:
    """The effect of the function `name`; elementwise and reshaping functions cost nothing.

    Raises:
        ValueError: the function takes a map and has no rule, or no single receptive field describes its result.
    """
    if name in RULES:
        return RULES[name](out, *args, **kwargs)
    if name not in POINTWISE | ARRANGING and any(tensor.ndim == 4 for tensor in args if isinstance(tensor, Tensor)):
        raise ValueError(f"name must be a function with a rule, got {name!r}; add one to analysis/rules.py")
    return Effect(name)
