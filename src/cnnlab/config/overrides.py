"""What people type for a path, a name or a list, in the quotes that Hydra's grammar needs."""

import re
from collections.abc import Sequence

from cnnlab.config.fields import is_list, is_text
from cnnlab.config.schema import COMMANDS
from cnnlab.config.validation import field_at

REMOVABLE = ("callbacks", "logger", "augment")  # `~callbacks` means callbacks=none
QUOTED = re.compile(r"""^(['"]).*\1$""", re.DOTALL)
ELEMENT = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,]+"""  # of a list: in quotes, or up to the next comma
SWEPT = re.compile(r"^(choice|range|sort|shuffle|glob)\(.*\)$")


def as_hydra_takes(command: str, arguments: Sequence[str]) -> list[str]:
    """`arguments` with the values of text keys in quotes and those of lists in brackets.

    `data.root=~/cats & dogs` needs quotes in Hydra's grammar, `name=2026_11_25` would become a number, and
    `group_by=model,optimizer.lr` a sweep. Values that are quoted already, or that refer to other keys, are unchanged.
    """
    is_sweep = "-m" in arguments or "--multirun" in arguments
    return [_as_hydra_takes(command, argument, is_sweep) for argument in arguments]


def _as_hydra_takes(command: str, argument: str, is_sweep: bool) -> str:
    key, equals, value = argument.partition("=")
    if argument.removeprefix("~") in REMOVABLE and argument.startswith("~"):
        return f"{argument[1:]}=none"
    field = field_at(command, key.lstrip("+")) if equals and not argument.startswith("-") else None
    if field is None or not is_text(field) or _is_for_hydra(value):
        return argument
    if value.startswith("[") and value.endswith("]"):
        return f"{key}={_quoted_list(value)}"
    if is_list(field):
        parts = value.split(",") if "=" not in value else [value]
        return f"{key}=[{','.join(map(quoted, parts))}]"
    values = value.split(",") if is_sweep else [value]
    return f"{key}={','.join(map(quoted, values))}"


def _quoted_list(text: str) -> str:
    """The elements of `[a,~/b,'c,d']` in quotes; unchanged if it is no list."""
    elements = re.findall(ELEMENT, text[1:-1])
    if ",".join(elements) != text[1:-1]:
        return text
    parts = map(str.strip, elements)
    return f"[{','.join(part if _is_for_hydra(part) else quoted(part) for part in parts)}]"


def as_typed(overrides: Sequence[str]) -> list[str]:
    """Overrides that `as_hydra_takes` put into quotes, as people type them; for records, tables and new commands."""
    return [_as_typed(override) for override in overrides]


def _as_typed(override: str) -> str:
    key, _, value = override.partition("=")
    fields = (field_at(command, key.lstrip("+")) for command in COMMANDS)
    if "\\" in value or not re.fullmatch(r"'[^']*'", value) or not any(field and is_text(field) for field in fields):
        return override
    return f"{key}={value[1:-1]}"


def _is_for_hydra(value: str) -> bool:
    return value in ("null", "???") or "${" in value or bool(QUOTED.match(value) or SWEPT.match(value))


def quoted(text: str) -> str:
    """`text` in single quotes, as Hydra's grammar reads it back unchanged."""
    return "'" + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text) + "'"
