"""Builders: one function for each published network of a family."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from torch import nn

N = TypeVar("N", bound=nn.Module)


def builder(family: type[N], name: str, summary: str, *row: Any, **defaults: Any) -> Callable[..., N]:
    """Return a function that builds one network of a family.

    `inspect.signature` of the function shows the remaining arguments of the family's constructor: `in_channels`,
    `num_classes`, `image_size` and the options, each with its default.

    Args:
        family: the network's class. Its docstring describes the options, and its module is the builder's module.
        name: the variable that the function is assigned to.
        summary: the first line of the function's docstring.
        row: the network's row of the paper's table, which are the first arguments of the constructor.
        defaults: options whose default differs from the family's.
    """
    network = partial(family, *row, **defaults)

    def build(*args: Any, **kwargs: Any) -> N:
        return network(*args, **kwargs)

    build.__name__ = build.__qualname__ = name
    build.__module__ = family.__module__
    build.__doc__ = f"{summary}\n\n{inspect.getdoc(family)}"
    build.__signature__ = inspect.signature(network).replace(return_annotation=family)  # type: ignore[attr-defined]
    return build
