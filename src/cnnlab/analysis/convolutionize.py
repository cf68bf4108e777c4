"""Fully connected layers as convolutions: a network that scores every place of a larger picture in one pass.

A fully connected layer on a map of C x H x W is a convolution with an H x W kernel; one on its result, a 1x1
convolution. Sermanet et al., "OverFeat", 2013, section 3.3; Simonyan and Zisserman (VGG), 2014, section 3.2.
"""

import copy

import torch
from torch import Tensor, fx, nn
from torch.fx.node import Node

from cnnlab.analysis.rules import POINTWISE
from cnnlab.errors import UserError

POINTWISE_MODULES = (
    nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Dropout, nn.Identity, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Hardswish,
)  # fmt: skip


class LogitMap(nn.Module):
    """A network without fully connected layers: (N, C, H, W) to scores (N, num_classes, H', W').

    Attributes:
        native_size: the side of the image that the network was made for, which gives one place: H' = W' = 1.
    """

    def __init__(self, body: fx.GraphModule, native_size: int) -> None:
        super().__init__()
        self.body = body
        self.native_size = native_size

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def convolutionize(net: nn.Module, in_channels: int, image_size: int) -> LogitMap:
    """A copy of `net` whose fully connected layers are convolutions, in evaluation mode.

    Args:
        image_size: the side that `net` takes; the copy takes any that is not smaller.

    Raises:
        UserError: its fully connected layers are not a chain on a flattened map.
    """
    graph_module = fx.symbolic_trace(copy.deepcopy(net).eval())
    modules = dict(graph_module.named_modules())
    shapes = Shapes(graph_module)
    reference = next(net.parameters())
    with torch.no_grad():
        shapes.run(torch.zeros(1, in_channels, image_size, image_size, device=reference.device, dtype=reference.dtype))
    graph = graph_module.graph
    linears = [node for node in graph.nodes if isinstance(_module(node, modules), nn.Linear)]
    if not linears:
        raise UserError("convolutionize needs fully connected layers, and this network has none")
    flatten = _flatten_before(linears[0], modules, shapes)
    map_shape = shapes.of[flatten.all_input_nodes[0]]
    flatten.replace_all_uses_with(flatten.all_input_nodes[0])
    graph.erase_node(flatten)
    kernel: tuple[int, int] = (map_shape[2], map_shape[3])
    for node in linears:
        _check_chain(node, modules)
        layer = _module(node, modules)
        assert isinstance(layer, nn.Linear)
        graph_module.set_submodule(str(node.target), _as_convolution(layer, kernel))
        kernel = (1, 1)
    for node in list(graph.nodes):
        if _is_adaptive(node, modules) and shapes.of[node] == shapes.of[node.all_input_nodes[0]]:
            node.replace_all_uses_with(node.all_input_nodes[0])
            graph.erase_node(node)
    graph.lint()
    graph_module.recompile()
    return LogitMap(graph_module, image_size)


class Shapes(fx.Interpreter):
    """Runs a graph and keeps each node's shape in `of`."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.of: dict[Node, torch.Size] = {}

    def run_node(self, n: Node) -> object:
        out = super().run_node(n)
        if isinstance(out, Tensor):
            self.of[n] = out.shape
        return out


def _module(node: Node, modules: dict[str, nn.Module]) -> nn.Module | None:
    return modules[str(node.target)] if node.op == "call_module" else None


def _function(node: Node) -> str:
    target = node.target
    return target if isinstance(target, str) else getattr(target, "__name__", "")


def _is_pointwise(node: Node, modules: dict[str, nn.Module]) -> bool:
    module = _module(node, modules)
    return isinstance(module, POINTWISE_MODULES) if module is not None else _function(node) in POINTWISE


def _is_adaptive(node: Node, modules: dict[str, nn.Module]) -> bool:
    adaptive = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
    return isinstance(_module(node, modules), adaptive) or _function(node).startswith("adaptive_")


def _flatten_before(linear: Node, modules: dict[str, nn.Module], shapes: Shapes) -> Node:
    """The node that makes vectors of maps for `linear`, with nothing but pointwise functions between."""
    node = linear.all_input_nodes[0]
    while _is_pointwise(node, modules) and len(shapes.of[node]) == 2:
        node = node.all_input_nodes[0]
    before = node.all_input_nodes[0] if node.all_input_nodes else None
    if before is None or len(shapes.of[before]) != 4 or len(shapes.of[node]) != 2:
        raise UserError(f"convolutionize needs a flattened map before {linear.target}, got {node.name}")
    if _function(before).startswith(("adaptive_", "mean")) or _is_global(before, modules, shapes):
        raise UserError(f"convolutionize needs a flattened map before {linear.target}, and this network pools globally")
    return node


def _is_global(node: Node, modules: dict[str, nn.Module], shapes: Shapes) -> bool:
    return _is_adaptive(node, modules) and shapes.of[node] != shapes.of[node.all_input_nodes[0]]


def _check_chain(linear: Node, modules: dict[str, nn.Module]) -> None:
    """Behind `linear` only pointwise functions may come, up to the next fully connected layer or the end."""
    for user in linear.users:
        node = user
        while _is_pointwise(node, modules):
            node = next(iter(node.users))
        if node.op != "output" and not isinstance(_module(node, modules), nn.Linear):
            raise UserError(
                f"convolutionize needs fully connected layers in a chain, got {node.name} after {linear.target}"
            )


def _as_convolution(layer: nn.Linear, kernel: tuple[int, int]) -> nn.Conv2d:
    """The convolution with the weights of `layer`, whose inputs are a flattened map of the kernel's size."""
    channels = layer.in_features // (kernel[0] * kernel[1])
    conv = nn.Conv2d(channels, layer.out_features, kernel_size=kernel, bias=layer.bias is not None, device="meta")
    conv.weight = nn.Parameter(layer.weight.detach().view(layer.out_features, channels, *kernel))
    conv.bias = layer.bias
    return conv
