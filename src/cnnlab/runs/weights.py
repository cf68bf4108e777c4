"""Weights and card in one safetensors file: small, readable by other programs, and without code by design."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cnnlab.errors import UserError
from cnnlab.files import write_atomically

SUFFIX = ".safetensors"


def write_weights(path: Path, card: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Write `weights`, by name, with the card as metadata; `path` is never incomplete.

    Raises:
        OSError: the file cannot be written.
    """
    tensors = {name: weights[name].detach().cpu().contiguous() for name in sorted(weights)}
    text = json.dumps(card)
    # One entry only, because safetensors writes several in random order.
    metadata = {"cnnlab": json.dumps({"card": text, "crc32": _checksum_of(text, tensors)})}
    write_atomically(path, save(tensors, metadata))


def read_weights(path: Path) -> dict[str, Any]:
    """The content of a file of `write_weights`, with the keys of a checkpoint: `cnnlab` and `state_dict`.

    Raises:
        UserError: the file is damaged, or was not written by cnnlab.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a complete safetensors file: {error}") from error
    try:
        facts = json.loads(metadata["cnnlab"])
        text, checksum = facts["card"], facts["crc32"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} was not written by cnnlab: it does not name its network and its data") from error
    if checksum != _checksum_of(text, tensors):
        raise UserError(f"{path} is damaged: its checksum does not match its content")
    return {"cnnlab": json.loads(text), "state_dict": tensors}


def _checksum_of(text: str, tensors: Mapping[str, Tensor]) -> str:
    """The CRC-32 of a text and of the names, shapes and bytes of tensors."""
    checksum = zlib.crc32(text.encode())
    for name, tensor in tensors.items():
        checksum = zlib.crc32(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode(), checksum)
        checksum = zlib.crc32(tensor.numpy().tobytes(), checksum)
    return f"{checksum:08x}"
