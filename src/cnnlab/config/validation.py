"""From a composed configuration to the typed one of its command, or one message about the first mistake."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from cnnlab.config.fields import Section, allowed, is_open, section_of, shown
from cnnlab.config.schema import COMMANDS
from cnnlab.config.sections import Logs
from cnnlab.config.signatures import check_arguments
from cnnlab.errors import UserError, closest_first


def validated(command: str, content: Mapping[str, Any]) -> Logs:
    """The configuration of `command` with the values `content`, in which no interpolation remains.

    Raises:
        UserError: a key is unknown or missing, or a value cannot be used. Nothing heavy is imported to find out.
    """
    schema = COMMANDS[command]
    checked = {key: _open(key, value) if key in schema.model_fields else value for key, value in content.items()}
    try:
        return schema.model_validate(checked)
    except ValidationError as error:
        raise UserError(_message(schema, error.errors()[0])) from None


def _open(group: str, node: Any) -> Any:
    """The arguments in an open group, checked against its target; everything else is unchanged."""
    if group == "augment" and isinstance(node, dict):
        return {name: _step(f"augment.{name}", step) for name, step in node.items()}
    if group.partition(".")[0] in OPEN and isinstance(node, dict):
        return check_arguments(group, node)
    return node


def _step(key: str, step: Any) -> Any:
    """One augmentation step, which may be null."""
    if step is not None and not isinstance(step, dict):
        raise UserError(f"{key} must be null or settings with a _target_, got {shown(step)}")
    return step if step is None else check_arguments(key, step)


OPEN = ("model", "augment", "loss", "optimizer", "scheduler")


def _message(schema: type[Section], error: ErrorDetails) -> str:
    """One line for pydantic's first error; its location is followed as far as the schema goes."""
    if not error["loc"]:
        return str(error["ctx"]["error"])
    path: list[str] = []
    section: type[Section] | None = schema
    field: FieldInfo | None = None
    for part in map(str, error["loc"]):
        if section is None or (error["type"] != "extra_forbidden" and part not in section.model_fields):
            break
        path.append(part)
        if part not in section.model_fields:
            return unknown_key(".".join(path), section)
        field = section.model_fields[part]
        section = section_of(field)
    key = ".".join(path)
    assert field is not None
    if error["type"] == "missing":
        return f"{key} must be given: {key}={'CHOICE' if is_open(field) else 'VALUE'}"
    return f"{key} must be {allowed(field)}, got {shown(error['input'])}"


def unknown_key(key: str, section: type[Section] | None) -> str:
    """The message for a key that `section` lacks, with those that it has, closest spelling first."""
    parent, _, last = key.rpartition(".")
    if section is None:
        return f"unknown key {key}"
    return (
        f"unknown key {key}; {f'{parent} has' if parent else 'there are'}: {closest_first(last, section.model_fields)}"
    )


def field_at(command: str, key: str) -> FieldInfo | None:
    """The schema's field of a dotted key; None for keys of open groups and for unknown ones."""
    section: type[Section] | None = COMMANDS[command]
    field = None
    for part in key.split("."):
        field = section.model_fields.get(part) if section else None
        if field is None:
            return None
        section = section_of(field)
    return field
