"""The operations that a page's engine computes (page/operations.js), and what each needs of torch.export's call."""

from collections.abc import Callable
from typing import Any

Value = int | float | bool | list[int]


class Unsupported(ValueError):
    """A network uses an operation that the page's engine does not know."""


Taken = dict[str, Any]
Rule = Callable[[Taken], dict[str, Value]]


def _pair(value: Any) -> list[int]:
    return 2 * [value] if isinstance(value, int) else (2 * list(value))[:2] if len(value) == 1 else list(value)


def _window(taken: Taken) -> dict[str, Value]:
    return {
        "kernel": _pair(taken["kernel_size"]),
        "stride": _pair(taken["stride"] or taken["kernel_size"]),
        "padding": _pair(taken["padding"]),
        "ceil": bool(taken.get("ceil_mode", False)),
    }


def _average(taken: Taken) -> dict[str, Value]:
    return _window(taken) | {
        "count_padding": bool(taken["count_include_pad"]),
        "divisor": taken["divisor_override"] or 0,  # 0: the number of pixels
    }


def _max_pool(taken: Taken) -> dict[str, Value]:
    if _pair(taken["dilation"]) != [1, 1]:
        raise Unsupported("max_pool2d with dilation")
    return _window(taken)


def _convolution(taken: Taken) -> dict[str, Value]:
    if isinstance(taken["padding"], str):
        raise Unsupported(f"conv2d with padding={taken['padding']!r}")
    geometry: dict[str, Value] = {name: _pair(taken[name]) for name in ("stride", "padding", "dilation")}
    return geometry | {"groups": taken["groups"]}


def _pad(taken: Taken) -> dict[str, Value]:
    if taken["mode"] != "constant":
        raise Unsupported(f"pad with mode={taken['mode']!r}")
    return {"pad": [*taken["pad"], *([0] * (6 - len(taken["pad"])))], "value": taken["value"] or 0.0}


def _slice(taken: Taken) -> dict[str, Value]:
    if taken["dim"] < 1:
        raise Unsupported("slice of the batch")
    return {"axis": taken["dim"] - 1, "start": taken["start"] or 0, "step": taken["step"]}


def _gelu(taken: Taken) -> dict[str, Value]:
    return {"tanh": taken["approximate"] == "tanh"}


# torch.export's name: the engine's name, and the arguments that it needs.
OPERATIONS: dict[str, tuple[str, Rule]] = {
    "conv2d": ("conv2d", _convolution),
    "linear": ("linear", lambda taken: {}),
    "batch_norm": ("batch_norm", lambda taken: {"eps": taken["eps"]}),
    "max_pool2d": ("max_pool2d", _max_pool),
    "avg_pool2d": ("avg_pool2d", _average),
    "adaptive_avg_pool2d": ("adaptive_avg_pool2d", lambda taken: {"size": _pair(taken["output_size"])}),
    "adaptive_max_pool2d": ("adaptive_max_pool2d", lambda taken: {"size": _pair(taken["output_size"])}),
    "relu": ("relu", lambda taken: {}),
    "relu_": ("relu", lambda taken: {}),
    "hardtanh": ("hardtanh", lambda taken: {"low": taken["min_val"], "high": taken["max_val"]}),
    "hardtanh_": ("hardtanh", lambda taken: {"low": taken["min_val"], "high": taken["max_val"]}),
    "tanh": ("tanh", lambda taken: {}),
    "sigmoid": ("sigmoid", lambda taken: {}),
    "gelu": ("gelu", _gelu),
    "flatten": ("flatten", lambda taken: {}),
    "cat": ("cat", lambda taken: {}),
    "pad": ("pad", _pad),
    "slice": ("slice", _slice),
}
ARITHMETIC = {"add": "add", "add_": "add", "sub": "sub", "mul": "mul", "mul_": "mul", "div": "div"}
SAME = {"dropout", "dropout_", "contiguous", "clone", "detach_", "detach", "alias"}  # their result is their input
WEIGHTS = {
    "conv2d": ("weight", "bias"),
    "linear": ("weight", "bias"),
    "batch_norm": ("weight", "bias", "running_mean", "running_var"),
}
