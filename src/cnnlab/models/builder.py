"""Builders: one function for each published network of a family."""

import inspect
from collections.abc import Callable
from functools import partial
from numbers import Integral
from typing import Any, TypeVar

from torch import nn

from cnnlab.limits import check

N = TypeVar("N", bound=nn.Module)


def builder(family: type[N], name: str, summary: str, *row: Any, **defaults: Any) -> Callable[..., N]:
    """Return a function that builds one network of a family.

    `inspect.signature` of the function shows the remaining arguments of the family's constructor: `in_channels`,
    `num_classes`, `image_size` and the options, each with its default. The function passes the first three to
    `check_shape`, and checks that the options are within the limits of their annotations.

    Args:
        family: the network's class. Its docstring describes the options, and its module is the builder's module.
        name: the variable that the function is assigned to.
        summary: the first line of the function's docstring.
        row: the network's row of the paper's table, which are the first arguments of the constructor.
        defaults: options whose default differs from the family's.
    """
    network = partial(family, *row)
    parameters = inspect.signature(network).parameters.values()
    signature = inspect.Signature(
        [parameter.replace(default=defaults.get(parameter.name, parameter.default)) for parameter in parameters],
        return_annotation=family,
    )

    def build(*args: Any, **kwargs: Any) -> N:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        check_shape(*bound.args[:3])
        check(signature, bound.arguments)
        return network(*bound.args, **bound.kwargs)

    build.__name__ = build.__qualname__ = name
    build.__module__ = family.__module__
    build.__doc__ = f"{summary}\n\n{inspect.getdoc(family)}"
    build.__signature__ = signature  # type: ignore[attr-defined]
    return build


def check_shape(in_channels: Any, num_classes: Any, image_size: Any) -> None:
    """Raise ValueError unless all arguments are integers of at least 1."""
    for name, value in {"in_channels": in_channels, "num_classes": num_classes, "image_size": image_size}.items():
        if not isinstance(value, Integral):
            raise ValueError(f"{name} must be an integer, got {value!r}")
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
