"""Packages that notebooks call as functions: `cnnlab.data("mnist")` beside `from cnnlab.data.specs import SPECS`.

Python sets an imported package as an attribute of the one that it is in. A function of the same name would be replaced
by it, so the package itself can be called.
"""

import importlib
from types import ModuleType
from typing import Any


class CallablePackage(ModuleType):
    """A package that calls the function of its name in `cnnlab.api`; the package assigns it to its `__class__`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; `help(cnnlab.api)` describes it."""
        return getattr(importlib.import_module("cnnlab.api"), self.__name__.rpartition(".")[2])(*args, **kwargs)
