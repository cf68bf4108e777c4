"""The arguments that the target of an open group accepts, read from its source without importing it.

`model.activation=relu` is checked against the annotations of `lenet5` within milliseconds, where an import would take
the seconds of torch. What cannot be read here is checked when the object is built.
"""

import ast
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError

from cnnlab import limits
from cnnlab.config.fields import shown
from cnnlab.errors import UserError
from cnnlab.limits import Fraction, FractionBelow1, NonNegative, in_words

FROM_THE_DATA = ("in_channels", "num_classes", "image_size")  # arguments of every network that the dataset determines
STRICT = ConfigDict(strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)
# Where the class or function that a group's _target_ names must be defined.
ALLOWED = {
    "model": ("cnnlab.models.",),
    "augment": ("cnnlab.augment.",),
    "loss": ("cnnlab.training.losses.",),
    "optimizer": ("torch.optim.", "cnnlab.training.muon."),
    "scheduler": ("cnnlab.training.schedules.",),
}


class Unknown:
    """Stands for the types in annotations that YAML cannot hold, as Tensor."""


TYPES: dict[str, Any] = {"bool": bool, "int": int, "float": float, "str": str, "list": list, "tuple": tuple}
TYPES |= {"Any": Any, "Sequence": Sequence, "Literal": Literal, "Optional": Optional, "Union": Union}
TYPES |= {name: kind for name, kind in vars(limits).items() if get_origin(kind) is Annotated}
# The limits that torch's optimizers have in their code.
OF_TORCH: dict[str, Any] = dict.fromkeys(("lr", "eps", "weight_decay", "momentum"), NonNegative)
OF_TORCH |= {"alpha": Fraction, "betas": tuple[FractionBelow1, FractionBelow1]}


@dataclass(frozen=True)
class Signature:
    """Arguments by name with their annotations as written, empty if there is none.

    Attributes:
        takes_any: whether the target also accepts arguments by other names.
    """

    name: str
    annotations: Mapping[str, str]
    takes_any: bool = False


def check_arguments(group: str, node: Mapping[str, Any]) -> dict[str, Any]:
    """`node` with whole numbers as floats where the target takes floats.

    Args:
        group: the node's key, as `model` or `augment.crop`.

    Raises:
        UserError: the group does not allow the target, or the target has no such argument, or takes other values.
    """
    target = str(node.get("_target_"))
    if not target.startswith(ALLOWED[group.partition(".")[0]]):
        raise UserError(not_allowed(group, target))
    signature = signature_of(target)
    if signature is None:
        return dict(node)
    checked: dict[str, Any] = {}
    for key, value in node.items():
        known = key in signature.annotations and not (group == "model" and key in FROM_THE_DATA)
        if key.startswith("_") or (signature.takes_any and not known):
            checked[key] = value
        elif not known:
            raise UserError(unknown_argument(group, key, signature))
        else:
            own = OF_TORCH.get(key) if target.startswith("torch.") else None
            checked[key] = _checked(f"{group}.{key}", value, own or _type_in(signature.annotations[key]))
    if target == "torch.optim.SGD" and checked.get("nesterov") and not checked.get("momentum"):
        raise UserError(f"{group}.momentum must be above 0 with nesterov=true, got {shown(checked.get('momentum'))}")
    return checked


def not_allowed(group: str, target: str) -> str:
    """The message for a `_target_` that the group does not allow."""
    return f"{group}._target_ must name something of {list(ALLOWED[group.partition('.')[0]])}, got {target!r}"


def unknown_argument(group: str, key: str, signature: Signature) -> str:
    """The message for an argument that the target does not accept."""
    if group == "model" and key in FROM_THE_DATA:
        return f"{group}.{key} is determined by the data; remove it from the command"
    hidden = FROM_THE_DATA if group == "model" else ("spec", "params")
    names = ", ".join(name for name in signature.annotations if name not in hidden) or "no arguments"
    return f"unknown key {group}.{key}; {signature.name} accepts: {names}"


def _checked(key: str, value: Any, kind: Any) -> Any:
    if kind is Unknown or kind is Any:
        return value
    try:
        # YAML has only lists, and strict validation does not accept them as tuples.
        checked = TypeAdapter(kind, config=STRICT).validate_python(_nested(tuple, value))
    except ValidationError:
        raise UserError(f"{key} must be {in_words(kind)}, got {shown(value)}") from None
    return _nested(list, checked)


def _nested(kind: type[list[Any]] | type[tuple[Any, ...]], value: Any) -> Any:
    """`value` with every list and tuple in it as a `kind`."""
    return kind(_nested(kind, part) for part in value) if isinstance(value, list | tuple) else value


def _type_in(annotation: str) -> Any:
    return _type_of(ast.parse(annotation, mode="eval").body) if annotation else Any


def _type_of(node: ast.expr) -> Any:
    """The type that an annotation stands for, with Unknown for what YAML cannot hold."""
    if isinstance(node, ast.Name):
        return TYPES.get(node.id, Unknown)
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.BinOp):
        left, right = _type_of(node.left), _type_of(node.right)
        return right if left is Unknown else left if right is Unknown else left | right
    if isinstance(node, ast.Subscript) and (outer := _type_of(node.value)) is not Unknown:
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        parts = tuple(map(_type_of, inner))
        if outer is Optional:
            return parts[0] if parts[0] is Unknown else parts[0] | None
        return (tuple if outer is list else outer)[parts + ((...,) if outer is list else ())]
    return Unknown


@cache
def signature_of(target: str) -> Signature | None:
    """The signature of the function or class that `package.module.name` names; None if its source cannot be read."""
    package, *path = target.split(".")
    spec = importlib.util.find_spec(package) if path else None
    if spec is None or not spec.submodule_search_locations:
        return None
    return _find(Path(spec.submodule_search_locations[0]), tuple(path[:-1]), path[-1])


def _find(root: Path, modules: tuple[str, ...], name: str) -> Signature | None:
    """The signature of `name` in a module below the package at `root`."""
    tree = _parsed(root.joinpath(*modules))
    for node in tree.body if tree else ():
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return Signature(name, *_arguments(root, modules, node.args))
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _of_class(root, modules, node)
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                path = tuple(node.module.split("."))
                if (alias.asname or alias.name) == name and path[0] == root.name:
                    return _find(root, path[1:], alias.name)
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
            return _of_builder(root, modules, name, node.value)
    return None


@cache
def _parsed(path: Path) -> ast.Module | None:
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return ast.parse(file.read_text(encoding="utf-8"))
    return None


def _of_class(root: Path, modules: tuple[str, ...], node: ast.ClassDef) -> Signature | None:
    """The arguments of the class's own `__init__`, or of that which it inherits."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            annotations, takes_any = _arguments(root, modules, part.args)
            return Signature(node.name, dict(list(annotations.items())[1:]), takes_any)
    if not node.bases:
        return Signature(node.name, {})
    inherited = (_find(root, modules, base.id) for base in node.bases if isinstance(base, ast.Name))
    found = next((signature for signature in inherited if signature), None)
    return Signature(node.name, found.annotations, found.takes_any) if found else None


def _of_builder(root: Path, modules: tuple[str, ...], name: str, call: ast.expr) -> Signature | None:
    """The signature of `name = builder(family, ...)` of `models/builder.py`: without the row before `in_channels`."""
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != "builder":
        return None
    family = _find(root, modules, ast.unparse(call.args[0]))
    if family is None:
        return None
    names = list(family.annotations)
    remaining = names[names.index("in_channels") :]
    return Signature(name, {key: family.annotations[key] for key in remaining}, family.takes_any)


def _arguments(root: Path, modules: tuple[str, ...], arguments: ast.arguments) -> tuple[dict[str, str], bool]:
    named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    annotations = {argument.arg: _annotation(root, modules, argument.annotation) for argument in named}
    return annotations, arguments.kwarg is not None


def _annotation(root: Path, modules: tuple[str, ...], node: ast.expr | None) -> str:
    """An annotation as text; an alias of the package, as `StemForm`, is replaced by what it stands for."""
    if node is None:
        return ""
    alias = _alias(root, modules, node.id) if isinstance(node, ast.Name) and node.id not in TYPES else None
    return ast.unparse(alias or node).strip("'\"")


def _alias(root: Path, modules: tuple[str, ...], name: str) -> ast.expr | None:
    """The type that a module assigns to `name`, or imports under it from its package."""
    tree = _parsed(root.joinpath(*modules))
    for node in tree.body if tree else ():
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
            return node.value if isinstance(node.value, ast.Subscript) else None
        if isinstance(node, ast.ImportFrom) and node.module and name in (alias.name for alias in node.names):
            path = tuple(node.module.split("."))
            return _alias(root, path[1:], name) if path[0] == root.name else None
    return None
