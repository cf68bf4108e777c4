"""The text of --help and the reference page of all keys, both made from the schema."""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic.fields import FieldInfo

from cnnlab.cli.messages import program
from cnnlab.config.compose import composed, resolved
from cnnlab.config.fields import Section, allowed, changes_weights, section_of
from cnnlab.config.folders import choices
from cnnlab.config.schema import COMMANDS
from cnnlab.config.signatures import signature_of
from cnnlab.config.validation import OPEN

WIDTH, INDENT = 79, 38
REFERRED = r"\$\{(?:hydra:runtime\.choices\.)?([^}]+)\}"  # an interpolation of another key or of a group's choice
HIDDEN = ("hydra/", "experiment/without")


def commands_help() -> str:
    """The commands, a line each."""
    lines = [f"  {name:<10} {summary_of(schema)}" for name, schema in COMMANDS.items()]
    return "\n".join(["cnnlab COMMAND [GROUP=CHOICE ...] [KEY=VALUE ...]", "", *lines, "", "cnnlab COMMAND --help"])


def summary_of(schema: type[Section]) -> str:
    """The first line of a command's description, without its name."""
    return (schema.__doc__ or "").partition(": ")[2].splitlines()[0]


def help_of(command: str, arguments: Sequence[str]) -> str:
    """The groups of a command with their choices, and its keys with the values that `arguments` give them."""
    cfg = composed(command, [argument for argument in arguments if not argument.startswith("-")])
    chosen: Mapping[str, Any] = cfg.hydra.runtime.choices
    groups = {key.partition("@")[0] for key in chosen if not key.startswith(HIDDEN)} - {"recipe"}
    groups |= {name for name in COMMANDS[command].model_fields if choices(name)}
    lines = [f"{program(command)}: {summary_of(COMMANDS[command])}", ""]
    if groups:
        lines += ["Groups, as in GROUP=CHOICE; with -m also GROUP=CHOICE,CHOICE:", ""]
        for group in sorted(groups):
            lines += _beside(f"  {group}", " ".join(choices(group)), 18)
        lines.append("")
    lines += ["Keys, as in KEY=VALUE, with the values of this command line:", ""]
    values = resolved(cfg, throw_on_missing=False)
    for key, field in keys_of(COMMANDS[command]):
        parent, _, name = key.rpartition(".")
        node: Any = values
        for part in parent.split(".") if parent else ():
            node = node[part] if node else None
        if key in OPEN:
            lines += _arguments(key, node[name])
        elif node is not None and not isinstance(value := node[name], Mapping):
            lines += _beside(f"  {key}={_typed(value)}", field.description or "", INDENT)
    return "\n".join(lines)


def keys_of(section: type[Section], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """The dotted keys of a section and of those in it, with their fields."""
    for name, field in section.model_fields.items():
        inner = section_of(field)
        if inner is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, Section)):
            yield f"{prefix}{name}", field
        if inner is not None:
            yield from keys_of(inner, f"{prefix}{name}.")


def _arguments(group: str, node: Mapping[str, Any]) -> Iterator[str]:
    """A line for each argument of an open group, and the arguments that its target also accepts."""
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _arguments(f"{group}.{key}", value)
        elif key != "_target_":
            yield f"  {group}.{key}={_typed(value)}"
    signature = signature_of(str(node.get("_target_", "")))
    hidden = {*node, "params", "spec", "in_channels", "num_classes", "image_size"}
    if signature and (others := [name for name in signature.annotations if name not in hidden]):
        yield from textwrap.wrap(f"  also +{group}.KEY=VALUE with {', '.join(others)}", WIDTH, subsequent_indent="    ")


def _typed(value: Any) -> str:
    """A value as it is typed."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return "" if value in ("???", {}) else str(value).replace("'", "")


def _beside(key: str, text: str, column: int) -> list[str]:
    """`key` with `text` wrapped beside it, or below it if `key` is long."""
    lines = textwrap.wrap(text, WIDTH - column) or [""]
    below = [" " * column + line for line in lines]
    if len(key) + 2 > column:
        return [key, *below]
    return [f"{key:<{column}}{lines[0]}".rstrip(), *below[1:]]


def reference() -> str:
    """The Markdown tables of the keys of all commands; keys as in `train` are listed there only."""
    lines = [
        "# Configuration keys",
        "",
        "Each key is typed as `KEY=VALUE`. The keys of `model`, `augment`, `loss`, `optimizer` and `scheduler` are the",
        "arguments of the chosen network, step, loss, optimizer or schedule; `--help` lists them. A default with",
        "`{KEY}` is that key's value. This page is generated by `cnnlab reference`.",
        "",
    ]
    shared = {key: allowed(field) for key, field in keys_of(COMMANDS["train"])}
    for command, schema in COMMANDS.items():
        lines += [f"## {command}", "", f"{summary_of(schema)[0].upper()}{summary_of(schema)[1:]}", ""]
        lines += ["| key | values | default | meaning | changes the weights |", "| --- | --- | --- | --- | --- |"]
        for key, field in keys_of(schema):
            if key not in OPEN and (command == "train" or shared.get(key) != allowed(field)):
                cells = [f"`{key}`", allowed(field), _default(field), str(field.description)]
                cells.append("yes" if changes_weights(field) else "")
                lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)


def _default(field: FieldInfo) -> str:
    """The default as it is typed; `data.root` and `log_dir` say theirs in words."""
    if field.is_required() or field.default_factory is not None:
        return ""
    text = re.sub(REFERRED, r"{\1}", _typed(field.default))
    return f"`{text}`"
