"""Observe a forward pass: every function and tensor operation on data that depends on the input, with its module.

Module hooks do not see `+`, `torch.cat` or `torch.relu`, and a function mode does not see the modules' names, so both
are used.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

SAME = {"iadd": "add", "radd": "add", "imul": "mul", "rmul": "mul", "rsub": "sub", "isub": "sub",
        "truediv": "div", "itruediv": "div", "getitem": "slice", "concat": "cat", "concatenate": "cat"}  # fmt: skip


def name_of(function: Callable[..., Any]) -> str:
    """One name for the variants of a function: `add` for `__radd__`, `add_` and `torch.add`."""
    name = getattr(function, "__name__", str(function)).strip("_")
    return SAME.get(name, name)


def tensors_in(arguments: Any) -> Iterator[Tensor]:
    """The tensors in `arguments`, including those in nested lists, tuples and dictionaries."""
    if isinstance(arguments, Tensor):
        yield arguments
    elif isinstance(arguments, list | tuple | dict):
        for argument in arguments.values() if isinstance(arguments, dict) else arguments:
            yield from tensors_in(argument)


def shadow(net: nn.Module) -> nn.Module:
    """A copy of `net` on the meta device, in evaluation mode, without allocating or copying any weights."""
    tensors = (*net.parameters(), *net.buffers())
    memo: dict[int, Any] = {id(tensor): torch.empty_like(tensor, device="meta") for tensor in tensors}
    for parameter in net.parameters():
        memo[id(parameter)] = nn.Parameter(memo[id(parameter)], requires_grad=parameter.requires_grad)
    return copy.deepcopy(net, memo).eval()


class Calls(TorchFunctionMode):
    """Calls `seen` for each function on data that depends on `x`, in execution order. Subclasses override the hooks.

    Attributes:
        stack: names of the modules that are running, outermost first.
        visits: number of calls of each module so far.
    """

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.visits: dict[str, int] = {}
        self._data = WeakIdKeyDictionary()
        self._data[x] = True

    def seen(self, name: str, inputs: list[Tensor], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Called after the function `name`; `inputs` are the arguments that depend on the input."""

    def weights_seen(self, inputs: list[Tensor], out: Any) -> None:
        """Called after a function whose tensors do not depend on the input, such as the masking of a weight."""

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs the function; override to replace it."""
        return function(*args, **kwargs)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        given = list(tensors_in((args, kwargs)))
        inputs = [tensor for tensor in given if tensor in self._data]
        out = self.call(func, args, kwargs) if inputs else func(*args, **kwargs)
        results = list(tensors_in(out))
        if not results:
            return out  # a size or a flag
        if inputs:
            for tensor in results:
                self._data[tensor] = True
            self.seen(name_of(func), inputs, out, args, kwargs)
        elif given:
            self.weights_seen(given, out)
        return out

    @contextmanager
    def watching(self, net: nn.Module) -> Iterator[None]:
        """A context in which forward passes of `net` are observed."""
        handles = []
        for name, module in net.named_modules():
            handles.append(module.register_forward_pre_hook(partial(self._enter, name)))
            handles.append(module.register_forward_hook(self._leave))
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str, module: nn.Module, args: Any) -> None:
        self.stack.append(name)
        self.visits[name] = self.visits.get(name, 0) + 1

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        self.stack.pop()
