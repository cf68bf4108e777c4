"""Fully connected layers as convolutions: a network that classifies every position of a larger image in one pass.

A fully connected layer on a C x H x W map is a convolution with an H x W kernel; each one that follows is a 1x1
convolution. Sermanet et al., "OverFeat", 2013, section 3.3; Simonyan and Zisserman (VGG), 2014, section 3.2.
"""

import copy

import torch
from torch import Tensor, fx, nn
from torch.fx.node import Node
from torch.fx.passes.shape_prop import ShapeProp

from cnnlab.analysis.rules import POINTWISE

POINTWISE_MODULES = (
    nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Dropout, nn.Identity, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Hardswish,
)  # fmt: skip


class LogitMap(nn.Module):
    """A network without fully connected layers: (N, C, H, W) to logits (N, num_classes, H', W').

    Attributes:
        native_size: side of the images that the network was built for, at which H' = W' = 1.
    """

    def __init__(self, body: fx.GraphModule, native_size: int) -> None:
        super().__init__()
        self.body = body
        self.native_size = native_size

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def convolutionize(net: nn.Module, in_channels: int, image_size: int) -> LogitMap:
    """A copy of `net` in evaluation mode, with convolutions instead of fully connected layers.

    Args:
        image_size: side of the images that `net` accepts; the copy also accepts larger ones.

    Raises:
        ValueError: torch.fx cannot trace `net`, or its fully connected layers are not a chain on a flattened map.
    """
    try:
        graph_module = fx.symbolic_trace(copy.deepcopy(net).eval())
    except fx.proxy.TraceError as error:
        raise ValueError(f"net must be traceable by torch.fx: {error}") from error
    reference = next(net.parameters())
    with torch.no_grad():
        ShapeProp(graph_module).propagate(reference.new_zeros(1, in_channels, image_size, image_size))
    graph = graph_module.graph
    linears = [node for node in graph.nodes if isinstance(_module(node), nn.Linear)]
    if not linears:
        raise ValueError("net must have fully connected layers, got none")
    flatten = _flatten_before(linears[0])
    _, _, *kernel_size = _shape(flatten.all_input_nodes[0])
    _remove(flatten)
    for node in linears:
        _check_chain(node)
        graph_module.set_submodule(str(node.target), _as_convolution(_module(node), kernel_size))
        kernel_size = [1, 1]
    for node in list(graph.nodes):
        if _is_adaptive(node) and not _changes_shape(node):
            _remove(node)
    graph.lint()
    graph_module.recompile()
    return LogitMap(graph_module, image_size)


def _remove(node: Node) -> None:
    """Take `node` out of its graph; its users read its input instead."""
    node.replace_all_uses_with(node.all_input_nodes[0])
    node.graph.erase_node(node)


def _module(node: Node) -> nn.Module | None:
    owner = node.graph.owning_module
    return owner.get_submodule(str(node.target)) if owner is not None and node.op == "call_module" else None


def _function(node: Node) -> str:
    target = node.target
    return target if isinstance(target, str) else getattr(target, "__name__", "")


def _shape(node: Node) -> torch.Size:
    return node.meta["tensor_meta"].shape


def _changes_shape(node: Node) -> bool:
    return _shape(node) != _shape(node.all_input_nodes[0])


def _is_pointwise(node: Node) -> bool:
    module = _module(node)
    return isinstance(module, POINTWISE_MODULES) if module is not None else _function(node) in POINTWISE


def _is_adaptive(node: Node) -> bool:
    adaptive = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
    return isinstance(_module(node), adaptive) or _function(node).startswith("adaptive_")


def _flatten_before(linear: Node) -> Node:
    """The node that flattens a map for `linear`, with only pointwise functions in between."""
    node = linear.all_input_nodes[0]
    while _is_pointwise(node) and len(_shape(node)) == 2:
        node = node.all_input_nodes[0]
    before = node.all_input_nodes[0] if node.all_input_nodes else None
    if before is None or len(_shape(before)) != 4 or len(_shape(node)) != 2:
        raise ValueError(f"net must flatten a feature map before {linear.target}, got {node.name}")
    if _function(before).startswith(("adaptive_", "mean")) or (_is_adaptive(before) and _changes_shape(before)):
        raise ValueError(f"net must flatten a feature map before {linear.target}, got global pooling")
    return node


def _check_chain(linear: Node) -> None:
    """Raise ValueError unless only pointwise functions stand between `linear` and the next such layer or the end."""
    for user in linear.users:
        node = user
        while _is_pointwise(node):
            node = next(iter(node.users))
        if node.op != "output" and not isinstance(_module(node), nn.Linear):
            raise ValueError(f"net must have fully connected layers in a chain, got {node.name} after {linear.target}")


def _as_convolution(layer: nn.Module | None, kernel_size: list[int]) -> nn.Conv2d:
    """The convolution with the weights of the fully connected `layer` on a flattened map of size `kernel_size`."""
    assert isinstance(layer, nn.Linear)
    height, width = kernel_size
    channels = layer.in_features // (height * width)
    conv = nn.Conv2d(
        channels, layer.out_features, kernel_size=(height, width), bias=layer.bias is not None, device="meta"
    )
    conv.weight = nn.Parameter(layer.weight.detach().view(layer.out_features, channels, height, width))
    conv.bias = layer.bias
    return conv
