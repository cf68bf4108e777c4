"""A network as a list of operations that a page can compute, taken from torch.export's graph.

The page's engine knows about twenty operations (`OPERATIONS`). What depends on weights alone, such as the sparse
filters of LeNet-5's C3, is computed here once. A network with another operation is refused by name.
"""

import operator
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export.graph_signature import InputKind

from cnnlab.image_spec import ImageSpec
from cnnlab.web.operations import ARITHMETIC, OPERATIONS, SAME, WEIGHTS, Taken, Unsupported, Value


@dataclass(frozen=True)
class Node:
    """One operation on one image.

    Attributes:
        name: path of the calling module, such as `layer1.0.conv1`, followed by the operation if it calls several.
        module: path of the calling module.
        operation: key of OPERATIONS, or `input`.
        inputs: indices of the nodes whose results it takes.
        arguments: such as stride and padding.
        weights: indices into `Graph.tensors`, by name.
        shape: of the result, without the batch.
        origin: name of the node in torch.export's graph.
    """

    name: str
    module: str
    operation: str
    inputs: tuple[int, ...]
    arguments: Mapping[str, Value]
    weights: Mapping[str, int]
    shape: tuple[int, ...]
    origin: str


@dataclass
class Graph:
    """Operations in order, beginning with the input, and the tensors that they use."""

    nodes: list[Node] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)


def graph_of(net: nn.Module, spec: ImageSpec) -> Graph:
    """The operations of `net` in evaluation mode, for one image.

    Raises:
        Unsupported: the engine does not know one of its operations.
    """
    program = torch.export.export(net.eval(), (torch.zeros(1, *spec.shape),))
    return _Reader(program, {name for name, module in net.named_modules() if not any(module.children())}).graph


class _Reader:
    """Reads the graph of an exported program.

    Attributes:
        constants: values by name of those nodes that depend on weights alone.
        indices: of the graph's nodes, by the name of the program's node whose result they have.
    """

    def __init__(self, program: torch.export.ExportedProgram, leaves: set[str]) -> None:
        self.graph = Graph()
        self._leaves = leaves
        self.constants: dict[str, Any] = {}
        self.indices: dict[str, int] = {}
        self._tensors: dict[int, int] = {}
        self._used: Counter[str] = Counter()
        stored = {**program.state_dict, **program.constants}
        inputs = {entry.arg.name: entry for entry in program.graph_signature.input_specs}
        self._skipped: set[str] = set()
        for node in program.graph.nodes:
            if node.op == "placeholder":
                if inputs[node.name].kind is InputKind.USER_INPUT:
                    self._add(Node("input", "", "input", (), {}, {}, _shape_of(node), node.name))
                else:
                    self.constants[node.name] = stored[str(inputs[node.name].target)].detach()
            elif node.op == "call_function" and node.name not in self._skipped:
                self._read(node)

    def _add(self, node: Node) -> None:
        self.indices[node.origin] = len(self.graph.nodes)
        self.graph.nodes.append(node)

    def _read(self, node: fx.Node) -> None:
        sources = node.all_input_nodes
        if all(source.name in self.constants for source in sources):
            self._compute(node)
            return
        if node.target is operator.getitem:  # the values, and not the indices, of a pooling with both
            if node.args[1] != 0 and node.users:
                raise Unsupported("the indices of a pooling")
            self.indices[node.name] = self.indices[sources[0].name]
            return
        operation = str(node.target).split(".")[1]
        if operation in SAME:
            self.indices[node.name] = self.indices[sources[0].name]
        elif (normalization := _local_response_norm(node)) is not None:
            self._skipped |= normalization.nodes
            arguments = normalization.arguments
            self._add(self._node(node, "local_response_norm", [sources[0]], arguments, {}, normalization.result))
        elif operation in ARITHMETIC:
            self._read_arithmetic(node, ARITHMETIC[operation])
        elif operation in ("view", "reshape") and len(_shape_of(node)) == 1:
            self._add(self._node(node, "flatten", sources, {}, {}))
        elif operation in OPERATIONS:
            name, rule = OPERATIONS[operation]
            taken = _named(node)
            if operation == "cat" and taken["dim"] != 1:
                raise Unsupported("cat along another axis than the channels")
            weights = {key: taken[key] for key in WEIGHTS.get(name, ()) if taken[key] is not None}
            images = [source for source in sources if source.name in self.indices]
            self._add(self._node(node, name, images, rule(taken), weights))
        else:
            raise Unsupported(operation)

    def _compute(self, node: fx.Node) -> None:
        """Compute what depends on weights alone."""

        def value(argument: Any) -> Any:
            return self.constants[argument.name] if isinstance(argument, fx.Node) else argument

        arguments = fx.map_arg(node.args, value)
        options = fx.map_arg(node.kwargs, value)
        if str(node.target) == "aten.index_put.default":
            arguments = (arguments[0], [*arguments[1]], *arguments[2:])  # type: ignore[misc]
        with torch.no_grad():
            self.constants[node.name] = node.target(*arguments, **options)  # type: ignore[operator]

    def _read_arithmetic(self, node: fx.Node, operation: str) -> None:
        """An operation of two maps, of a map and a number, or of a map and weights."""
        taken = _named(node)
        if taken.get("alpha", 1) != 1:
            raise Unsupported(f"{operation} with alpha")
        first, second = taken["self"], taken["other"]
        if isinstance(first, fx.Node) and first.name in self.constants:
            if operation in ("sub", "div"):
                raise Unsupported(f"{operation} of weights and a map")
            first, second = second, first
        if isinstance(second, int | float):
            self._add(self._node(node, operation, [first], {"number": float(second)}, {}))
        elif second.name in self.constants:
            self._add(self._node(node, operation, [first], {}, {"other": second}))
        else:
            self._add(self._node(node, operation, [first, second], {}, {}))

    def _node(
        self,
        node: fx.Node,
        operation: str,
        sources: list[fx.Node],
        arguments: Mapping[str, Value],
        weights: Mapping[str, fx.Node],
        result: fx.Node | None = None,
    ) -> Node:
        module = _module_of(node)
        used = {name: self._tensor(self.constants[source.name]) for name, source in weights.items()}
        name = module if module in self._leaves else f"{module}.{operation}".lstrip(".")
        self._used[name] += 1
        name = name if self._used[name] == 1 else f"{name}_{self._used[name]}"
        inputs = tuple(self.indices[source.name] for source in sources)
        origin = (result or node).name
        return Node(name, module, operation, inputs, arguments, used, _shape_of(result or node), origin)

    def _tensor(self, tensor: Tensor) -> int:
        if id(tensor) not in self._tensors:
            self._tensors[id(tensor)] = len(self.graph.tensors)
            self.graph.tensors.append(tensor.float().contiguous())
        return self._tensors[id(tensor)]


def _shape_of(node: fx.Node) -> tuple[int, ...]:
    value = node.meta["val"]
    return tuple((value[0] if isinstance(value, tuple | list) else value).shape[1:])


def _named(node: fx.Node) -> Taken:
    """The arguments of a call by name, with defaults."""
    schema = node.target._schema.arguments  # type: ignore[union-attr]
    taken = {argument.name: argument.default_value for argument in schema}
    return taken | dict(zip(taken, node.args, strict=False)) | dict(node.kwargs)


def _module_of(node: fx.Node) -> str:
    """Path of the innermost module that makes a call."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]) if stack else ""


@dataclass(frozen=True)
class _Normalization:
    nodes: set[str]
    result: fx.Node
    arguments: dict[str, Value]


def _local_response_norm(node: fx.Node) -> _Normalization | None:
    """The calls of F.local_response_norm that begin with the square `node`; None if it begins something else."""
    if str(node.target) != "aten.mul.Tensor" or node.args[0] is not node.args[1]:
        return None
    chain, current = [node], node
    while str(current.target) != "aten.pow.Tensor_Scalar":
        if len(current.users) != 1 or len(chain) > 9:
            return None
        current = next(iter(current.users))
        chain.append(current)
    result = next(iter(current.users))
    calls = {str(call.target).split(".")[1]: call for call in chain}
    if str(result.target) != "aten.div.Tensor" or result.args[0] is not node.args[0] or "avg_pool3d" not in calls:
        return None
    size = calls["avg_pool3d"].args[1][0]  # type: ignore[index]
    numbers = {"alpha": calls["mul"].args[1], "k": calls["add"].args[1], "beta": current.args[1]}
    arguments: dict[str, Value] = {"size": size, **numbers}  # type: ignore[dict-item]
    return _Normalization({call.name for call in chain} | {result.name}, result, arguments)
