"""Lightning without the image and audio metrics of torchmetrics, whose imports take as long as the rest of it.

Lightning imports torchmetrics, which imports torchvision's networks (and with them torch's compiler) and `scipy.signal`
for metrics that no command uses. While Lightning is imported, stand-ins take the place of these modules. What
torchmetrics takes from them is imported when it is used, so all its metrics work.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

SLOW = ("torchvision", "torchvision.models", "scipy.signal")


class Later:
    """A function, class or module that is imported when it is called or when one of its attributes is read."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._imported()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python asks of any object
            raise AttributeError(name)
        return getattr(self._imported(), name)

    def _imported(self) -> Any:
        module = importlib.import_module(self._module)
        if not hasattr(module, self._name):
            importlib.import_module(f"{self._module}.{self._name}")
        return getattr(module, self._name)


class StandIn(ModuleType):
    """A module with every name, each of them `Later`."""

    __path__: list[str] = []  # a package, so that stand-ins of its modules can be imported

    def __getattr__(self, name: str) -> Later:
        if name.startswith("__"):
            raise AttributeError(name)
        return Later(self.__name__, name)


def import_lightning() -> None:
    """Import Lightning with stand-ins for the slow modules, or without them if it needs more of these modules."""
    if "lightning" in sys.modules:
        return
    try:
        with stand_ins():
            importlib.import_module("lightning")
    except (ImportError, AttributeError):
        for name in [name for name in sys.modules if name.partition(".")[0] in ("lightning", "torchmetrics")]:
            del sys.modules[name]
        importlib.import_module("lightning")


@contextmanager
def stand_ins() -> Iterator[None]:
    """Put stand-ins in the place of the slow modules that are not imported yet, and remove them afterwards."""
    names = [name for name in SLOW if name not in sys.modules]
    sys.modules.update({name: StandIn(name) for name in names})
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
