"""The peak memory of a computation's tensors, counted as they are allocated and freed."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class TensorMemory(TorchDispatchMode):
    """Counts the bytes of the tensors that are created in its context and still alive, and their peak.

    It does not see a library function's internal buffers or NumPy arrays.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for tensor in tree_leaves((args, kwargs)):
            self._add(tensor, counts=False)  # it existed before the context
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            self._add(tensor, counts=True)
        return result

    def _add(self, tensor: Any, counts: bool) -> None:
        if not isinstance(tensor, torch.Tensor):
            return
        storage = tensor.untyped_storage()
        if storage._cdata in self._known:
            return
        self._known.add(storage._cdata)
        size = storage.nbytes() if counts else 0
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._remove, storage._cdata, size)

    def _remove(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


def peak_bytes(call: Callable[[], object]) -> int:
    """The peak, in bytes, of the tensors that `call` allocates."""
    with TensorMemory() as memory:
        call()
    return memory.peak
