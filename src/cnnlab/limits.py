"""Types of arguments with limits, each said once, and types in words.

The configuration checks the annotations of a target before torch is imported; `checked` raises for Python's callers.
"""

import functools
import inspect
import operator
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, Predicate

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Words:
    """What a value of this type must be, where types and limits do not say it."""

    text: str


MOST = 2**31 - 1  # what torch and Lightning take as a number; not mentioned in words
Count = Annotated[int, Ge(1), Le(MOST)]
Natural = Annotated[int, Ge(0), Le(MOST)]
Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Le(1)]
FractionBelow1 = Annotated[float, Ge(0), Lt(1)]
FractionAbove0 = Annotated[float, Gt(0), Le(1)]
FractionInside = Annotated[float, Gt(0), Lt(1)]
Depth6nPlus4 = Annotated[
    int, Predicate(lambda depth: depth >= 10 and depth % 6 == 4), Words("10, 16, 22, 28, ... (6n + 4)")
]
NAMES = {type(None): "null", bool: "true or false", int: "a whole number", float: "a number", str: "text"}
LIMITS = {Ge: "of at least", Gt: "above", Le: "of at most", Lt: "below"}
HOLDS = {Ge: operator.ge, Gt: operator.gt, Le: operator.le, Lt: operator.lt}


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function raise ValueError for an argument outside the limits of its annotation."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def within_limits(*args: P.args, **kwargs: P.kwargs) -> R:
        check(signature, signature.bind(*args, **kwargs).arguments)
        return function(*args, **kwargs)

    return within_limits


def check(signature: inspect.Signature, arguments: Mapping[str, Any]) -> None:
    """Raise ValueError if one of the arguments is outside the limits of its annotation."""
    for name, value in arguments.items():
        kind = signature.parameters[name].annotation
        if not fits(value, kind):
            raise ValueError(f"{name} must be {in_words(kind)}, got {value!r}")


def fits(value: Any, kind: Any) -> bool:
    """Whether `value` is within the limits of `kind`; types without limits are not checked."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        is_number = isinstance(value, Integral if parts[0] is int else Real)
        return is_number and all(_holds(value, mark) for mark in parts[1:])
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if origin is tuple and ... not in parts:
        return len(value) == len(parts) and all(map(fits, value, parts))
    if origin is Sequence:
        return all(fits(item, parts[0]) for item in value)
    return value is None if kind is type(None) else True


def _holds(value: Any, mark: Any) -> bool:
    if isinstance(mark, Predicate):
        return bool(mark.func(value))
    kind = type(mark)
    return kind not in HOLDS or bool(HOLDS[kind](value, getattr(mark, kind.__name__.lower())))


def in_words(annotation: Any, metadata: Any = ()) -> str:
    """A type in words, with its limits."""
    words = next((mark.text for mark in metadata if isinstance(mark, Words)), None)
    if words is not None:
        return words
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return in_words(parts[0], parts[1:])
    if origin in (Union, types.UnionType):
        ordered = sorted(parts, key=lambda part: part is not type(None))
        return " or ".join(in_words(part) for part in ordered)
    if origin is Literal:
        return parts[0] if len(parts) == 1 else f"one of {list(parts)}"
    if origin in (list, tuple, Sequence):
        length = f" of {len(parts)}" if origin is tuple and ... not in parts else ""
        return f"a list{length}, each {in_words(parts[0])}"
    return NAMES.get(annotation, "settings") + _limits(metadata)


def _limits(metadata: Any) -> str:
    found = {type(mark): getattr(mark, type(mark).__name__.lower()) for mark in metadata if type(mark) in LIMITS}
    if found.get(Le) == MOST:
        del found[Le]
    if Ge in found and Le in found:
        return f" from {found[Ge]} to {found[Le]}"
    if found:
        return " " + " and ".join(f"{LIMITS[kind]} {found[kind]}" for kind in LIMITS if kind in found)
    return ""
