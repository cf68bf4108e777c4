"""Watching a forward pass: each function and tensor operation on data that comes from the input, and its module.

A module hook alone does not see `+`, `torch.cat` or `torch.relu`; a function mode alone does not know names.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

SAME = {"iadd": "add", "radd": "add", "imul": "mul", "rmul": "mul", "rsub": "sub", "isub": "sub",
        "truediv": "div", "itruediv": "div", "getitem": "slice", "concat": "cat", "concatenate": "cat"}  # fmt: skip


def name_of(function: Callable[..., Any]) -> str:
    """`add` for `__radd__`, `add_` and `torch.add`, and so on."""
    name = getattr(function, "__name__", str(function)).strip("_")
    return SAME.get(name, name)


def tensors_in(arguments: Any) -> Iterator[Tensor]:
    """The tensors among arguments, also those within lists and tuples."""
    if isinstance(arguments, Tensor):
        yield arguments
    elif isinstance(arguments, list | tuple):
        for argument in arguments:
            yield from tensors_in(argument)
    elif isinstance(arguments, dict):
        yield from tensors_in(list(arguments.values()))


def shadow(net: nn.Module) -> nn.Module:
    """A copy of `net` without values, on the meta device and in evaluation mode; the weights are not copied."""
    tensors = (*net.parameters(), *net.buffers())
    memo: dict[int, Any] = {id(tensor): torch.empty_like(tensor, device="meta") for tensor in tensors}
    for parameter in net.parameters():
        memo[id(parameter)] = nn.Parameter(memo[id(parameter)], requires_grad=parameter.requires_grad)
    return copy.deepcopy(net, memo).eval()


class Calls(TorchFunctionMode):
    """Tells `seen` of each call on data that comes from `x`, in order, with the modules around it.

    Attributes:
        stack: the names of the modules that are running, outermost first.
        visits: how many times each module has been called.
    """

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.visits: dict[str, int] = {}
        self._data = WeakIdKeyDictionary()
        self._data[x] = True

    def seen(self, name: str, inputs: list[Tensor], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A call of the function `name`; `inputs` are those of its arguments that come from the input."""

    def weights_seen(self, inputs: list[Tensor], out: Any) -> None:
        """A call on tensors none of which comes from the input, such as a mask on a weight."""

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What is done in place of the function: here, the function."""
        return function(*args, **kwargs)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        given = list(tensors_in((args, kwargs)))
        inputs = [tensor for tensor in given if tensor in self._data]
        out = self.call(func, args, kwargs) if inputs else func(*args, **kwargs)
        if not any(True for _ in tensors_in(out)):
            return out  # a size, a flag
        if inputs:
            for tensor in tensors_in(out):
                self._data[tensor] = True
            self.seen(name_of(func), inputs, out, args, kwargs)
        elif given:
            self.weights_seen(given, out)
        return out

    @contextmanager
    def watching(self, net: nn.Module) -> Iterator[None]:
        """Within the context, calls are told and modules are named."""
        handles = []

        def enter(name: str) -> Callable[..., None]:
            def hook(module: nn.Module, args: Any) -> None:
                self.stack.append(name)
                self.visits[name] = self.visits.get(name, 0) + 1

            return hook

        def leave(module: nn.Module, args: Any, output: Any) -> None:
            self.stack.pop()

        for name, module in net.named_modules():
            handles.append(module.register_forward_pre_hook(enter(name)))
            handles.append(module.register_forward_hook(leave))
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()
