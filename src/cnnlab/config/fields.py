"""The types of configuration keys, and each type in words, as messages and the reference page state it."""

import os
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from annotated_types import Ge, Le, MinLen
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from cnnlab.limits import Count, FractionBelow1, FractionInside, Natural, NonNegative, Words, in_words


class Section(BaseModel):
    """Keys that stand together, as those of `trainer`: unknown keys, other types and NaN are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


@dataclass(frozen=True)
class Text:
    """Marks text that a command line may hold as it is, without the quotes of Hydra's grammar."""


def _name(value: str) -> str:
    if value in ("", ".", "..") or len(value) > 100 or not value.isprintable() or set(value) & set('/\\:*?"<>|'):
        raise ValueError
    return value


def _expanded(value: str) -> str:
    if not value or not value.isprintable():
        raise ValueError
    return os.path.expandvars(os.path.expanduser(value))


def _two(value: list[str]) -> list[str]:
    if len(value) != 2:
        raise ValueError
    return value


Processes = Annotated[int, Ge(1), Le(1024)]
Shown = Annotated[int, Ge(1), Le(200)]
Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
Pixels = Annotated[int, Ge(1), Le(4096)]
ValSize = Natural | Annotated[FractionBelow1, Words("a fraction below 1")]
Part = Count | Annotated[FractionInside, Words("a fraction below 1")]
Name = Annotated[
    str, AfterValidator(_name), Text(), Words("a folder's name of at most 100 characters, without / \\ : * ? \" < > |")
]
PathText = Annotated[str, AfterValidator(_expanded), Text(), Words("a path")]
FreeText = Annotated[str, Text(), Words("text")]
Names = Annotated[list[FreeText], MinLen(1), Words("names with commas between them")]
Paths = Annotated[list[PathText], MinLen(1), Words("paths with commas between them")]
Numbers = Annotated[list[Natural], MinLen(1), Words("whole numbers in brackets, as [0,5]")]
TwoPaths = Annotated[list[PathText], AfterValidator(_two), Words("two paths in brackets, as [FIRST,SECOND]")]
Open = Annotated[dict[str, Any], Words("a choice of this group")]  # its keys are the arguments of its `_target_`
Search = Annotated[dict[str, Any], Words("a search space")]
Steps = Annotated[dict[str, Open | None], Words("augmentation steps by name")]
LearningRates = Annotated[dict[str, NonNegative], Words("learning rates by optimizer")]


def setting(default: Any, meaning: str, *, changes_weights: bool, hashed: bool = True) -> Any:
    """A key with its default, its meaning, and whether it can change the weights of a trained network.

    Args:
        default: `...` if the key must be given; text with `${...}` is resolved with the rest of the configuration.
        hashed: False for a key that was added later: it enters the run id only where it differs from its default, so
            that the ids of earlier runs stay.
    """
    extra = {"changes_weights": changes_weights, "hashed": hashed}
    return Field(default, description=meaning, json_schema_extra=extra)  # type: ignore[arg-type]


def changes_weights(field: FieldInfo) -> bool:
    """Whether the key can change the weights of a trained network."""
    return bool(_extra(field)["changes_weights"])


def is_always_hashed(field: FieldInfo) -> bool:
    """Whether the key enters the run id where it has its default, too."""
    return bool(_extra(field)["hashed"])


def _extra(field: FieldInfo) -> dict[str, Any]:
    assert isinstance(field.json_schema_extra, dict)
    return field.json_schema_extra


def section_of(field: FieldInfo) -> type[Section] | None:
    """The section that a key holds, also one that may be null."""
    for part in (field.annotation, *get_args(field.annotation)):
        if isinstance(part, type) and issubclass(part, Section):
            return part
    return None


def defaults_of(section: type[Section]) -> dict[str, Any]:
    """The configuration that `section` stands for before a group or the user changes it.

    A key without a default is left to the groups, or is `???`, which Hydra reports as missing.
    """
    content: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            content[name] = defaults_of(kind)
        elif not field.is_required():
            content[name] = field.get_default(call_default_factory=True, validated_data={})
        elif not is_open(field):
            content[name] = "???"
    return content


def is_open(field: FieldInfo) -> bool:
    """Whether the key is a group whose keys are the arguments of its `_target_`."""
    return get_origin(field.annotation) is dict


def is_text(field: FieldInfo) -> bool:
    """Whether what is typed for this key is text, or a list of texts."""
    return any(isinstance(mark, Text) for mark in _marks(field.annotation, field.metadata))


def is_list(field: FieldInfo) -> bool:
    """Whether the key takes a list."""
    return any(isinstance(mark, MinLen) for mark in _marks(field.annotation, field.metadata))


def _marks(annotation: Any, metadata: Any = ()) -> list[Any]:
    """All metadata of a type and of those that it consists of."""
    marks = list(metadata)
    for part in get_args(annotation):
        marks += getattr(part, "__metadata__", ()) if get_origin(part) is Annotated else ()
        marks += _marks(part)
    return marks


def allowed(field: FieldInfo) -> str:
    """The values that a key takes, in words: `null or a whole number of at least 1`."""
    return in_words(field.annotation, field.metadata)


def typed(value: Any) -> str:
    """A value as it is typed on the command line: null, true, [0.9,0.999]."""
    if isinstance(value, list):
        return f"[{','.join(map(typed, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def shown(value: Any) -> str:
    """A value in a message, where text has quotes."""
    return typed(value) if value is None or isinstance(value, bool) else repr(value)
