"""A network in an ONNX file of this project, run by onnxruntime on the CPU."""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.errors import UserError

SUFFIX = ".onnx"
NEEDED = "ONNX files need onnx and onnxruntime: pip install 'cnnlab[export]' (in a clone: pip install -e '.[export]')"


class OnnxNetwork(nn.Module):
    """Maps images to logits by an ONNX model.

    A model with its own preprocessing takes bytes and gives probabilities. Their logarithms differ from the network's
    logits by a constant of each image, which changes neither probabilities nor means over views.

    Args:
        model: the file's content.
        has_preprocessing: whether the model takes bytes and gives probabilities.
    """

    def __init__(self, model: bytes, has_preprocessing: bool) -> None:
        import onnxruntime

        super().__init__()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.has_preprocessing = has_preprocessing

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, C, H, W): normalized, or with `has_preprocessing` gray levels."""
        images = x.round().to(torch.uint8) if self.has_preprocessing else x.float()
        name = self.session.get_inputs()[0].name
        result = torch.from_numpy(self.session.run(None, {name: images.cpu().numpy()})[0]).to(x.device)
        return result.clamp(min=torch.finfo(result.dtype).tiny).log() if self.has_preprocessing else result


def read_onnx(path: Path) -> tuple[dict[str, Any], OnnxNetwork]:
    """The card and the network of an ONNX file.

    Raises:
        UserError: the file is damaged, was not written by cnnlab, or refers to other files; or onnx is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
        from onnxruntime.capi import onnxruntime_pybind11_state as runtime
    except ImportError as error:
        raise UserError(NEEDED) from error
    content = path.read_bytes()
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise UserError(f"{path} is not a complete ONNX file") from error
    facts = {entry.key: entry.value for entry in model.metadata_props}
    if "cnnlab" not in facts or "crc32" not in facts:
        raise UserError(f"{path} was not written by cnnlab: it does not name its network and its data")
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors_in(model)):
        raise UserError(f"{path} has weights in other files, which cnnlab does not read")
    if facts["crc32"] != checksum_of(model, facts["cnnlab"]):
        raise UserError(f"{path} is damaged: its checksum does not match its content")
    # They have no common base class.
    unusable = (
        runtime.Fail, runtime.InvalidArgument, runtime.InvalidGraph, runtime.InvalidProtobuf, runtime.NotImplemented,
        runtime.RuntimeException,
    )  # fmt: skip
    try:
        card = json.loads(facts["cnnlab"])
        return card, OnnxNetwork(content, has_preprocessing=facts.get("preprocessing") == "true")
    except (ValueError, *unusable) as error:
        raise UserError(f"{path} cannot be used: {str(error).partition(chr(10))[0]}") from error


def _tensors_in(message: Any) -> Iterator[Any]:
    """All tensors of an ONNX model: initializers, constants, sparse tensors, and those of subgraphs and functions."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            # A single message is a field itself; others are a sequence of messages.
            for part in [value] if hasattr(value, "ListFields") else value:
                yield from _tensors_in(part)


def checksum_of(model: Any, card: str) -> str:
    """The CRC-32 of a card's text and of the graph of an ONNX model."""
    return f"{zlib.crc32(model.graph.SerializeToString(deterministic=True), zlib.crc32(card.encode())):08x}"
