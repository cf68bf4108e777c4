"""One line per network: a named builder of a family's class."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

N = TypeVar("N", bound=nn.Module)


def variant(name: str, network: type[N], note: str, **values: Any) -> Callable[..., N]:
    """A builder of `network`, called `name`, with the remaining arguments of the class.

    Args:
        note: what a reader wants to know of this variant, such as its number of parameters.
        values: a value for a required argument fixes it; for an argument with a default it is the new default.
    """
    parameters = inspect.signature(network).parameters
    fixed = {key: value for key, value in values.items() if parameters[key].default is inspect.Parameter.empty}
    signature = inspect.Signature(
        [
            parameter.replace(default=values.get(key, parameter.default))
            for key, parameter in parameters.items()
            if key not in fixed
        ]
    )

    def builder(*args: Any, **kwargs: Any) -> N:
        arguments = signature.bind(*args, **kwargs)
        arguments.apply_defaults()
        return network(**arguments.arguments, **fixed)

    builder.__name__ = builder.__qualname__ = name
    builder.__module__ = network.__module__
    builder.__doc__ = f"{note}\n\n{inspect.getdoc(network) or ''}"
    builder.__signature__ = signature  # type: ignore[attr-defined]
    return builder
