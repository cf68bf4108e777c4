"""A laboratory of the classic convolutional networks; for notebooks, the functions of `cnnlab.api`.

Importing this package imports nothing else: each function is imported when it is used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnlab.api import data, epochs, load, predict, runs

__all__ = ["data", "epochs", "load", "predict", "runs"]
PACKAGES = ("data", "predict", "runs")  # packages that can be called; see `callable_package`


def __getattr__(name: str) -> Any:
    if name in PACKAGES:
        return importlib.import_module(f"cnnlab.{name}")
    if name in __all__:
        return getattr(importlib.import_module("cnnlab.api"), name)
    raise AttributeError(f"module 'cnnlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
