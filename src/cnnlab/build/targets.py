"""The one way from a node of the configuration to an object: what a `_target_` may name, and how errors are reported.

Imports Hydra and what the node names, nothing else.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import hydra.utils
from hydra.errors import InstantiationException

from cnnlab.config.signatures import ALLOWED, not_allowed
from cnnlab.errors import UserError


def make(node: Mapping[str, Any], what: str, *args: Any, **kwargs: Any) -> Any:
    """The object that `node` describes; `args` and `kwargs` are added as they are.

    Args:
        what: the node's key, which begins with its group: `optimizer`, `augment.crop`.

    Raises:
        UserError: its target is not allowed for this group, or does not accept the arguments.
    """
    target_of(node, what)
    try:
        return hydra.utils.instantiate(node, _partial_=True, _convert_="all")(*args, **kwargs)
    except InstantiationException as error:
        raise UserError(f"{what}: {error.__cause__ or error}") from error
    except ValueError as error:
        is_of_a_key = str(error).partition(" ")[0] in node
        raise UserError(f"{what}.{error}" if is_of_a_key else f"{what}: {error}") from error
    except (TypeError, RuntimeError) as error:
        settings = ", ".join(f"{key}={value!r}" for key, value in node.items() if key != "_target_")
        raise UserError(f"{what} cannot be made with {settings}: {error}") from error


def target_of(node: Mapping[str, Any], what: str) -> Callable[..., Any]:
    """The class or function that `node` names.

    Raises:
        UserError: it is not defined in the modules of its group, or the node contains another `_target_`. What is
            only imported there, such as `cnnlab.augment.trivial.torch.hub.load`, is refused as well.
    """
    target = str(node.get("_target_"))
    allowed = ALLOWED[what.partition(".")[0]]
    if "_target_" in str({key: value for key, value in node.items() if key != "_target_"}):
        raise UserError(f"{what} must not hold another _target_, got {node}")
    if target.startswith(allowed):
        with suppress(ImportError, ValueError):
            found = hydra.utils.get_object(target)
            if callable(found) and f"{getattr(found, '__module__', '')}.".startswith(allowed):
                return found
    raise UserError(not_allowed(what, target))
