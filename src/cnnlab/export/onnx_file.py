"""A trained network as an ONNX model, compared with PyTorch before it is written."""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.image_spec import ImageSpec
from cnnlab.runs.onnx_network import OnnxNetwork, checksum_of
from cnnlab.runs.trained_network import Trained

OPSET = 18
TOLERANCE = 1e-4  # of the largest difference from PyTorch, relative to the largest number
BATCHES = (1, 7)  # sizes of the compared batches


class WithPreprocessing(nn.Module):
    """A network from bytes to probabilities.

    Args:
        net: maps normalized images to logits.
        spec: normalization and size of the network's input.
    """

    def __init__(self, net: nn.Module, spec: ImageSpec) -> None:
        super().__init__()
        self.net, self.size = net, spec.image_size
        mean, std = (torch.tensor(values)[:, None, None] for values in (spec.mean, spec.std))
        self.shift: Tensor
        self.scale: Tensor
        self.register_buffer("shift", -mean / std)
        self.register_buffer("scale", 1 / (255 * std))

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities (N, num_classes) of uint8 images (N, C, H, W)."""
        x = self.shift + images.float() * self.scale
        if x.shape[-1] != self.size:
            x = F.interpolate(x, (self.size, self.size), mode="bilinear", antialias=True)
        return self.net(x).softmax(1)


@dataclass(frozen=True)
class Exported:
    """An ONNX model and its largest difference from PyTorch, relative to the largest number."""

    content: bytes
    difference: float


def export_onnx(trained: Trained, images: Tensor, preprocessing: bool) -> Exported:
    """Export a network with a batch of any size, and compare it with PyTorch.

    Args:
        trained: the network.
        images: uint8 (N, C, H, W) with N of at least 7, for the comparison.
        preprocessing: whether the model takes bytes and gives probabilities, or takes normalized images and gives
            logits.

    Raises:
        ValueError: the exported model gives other results.
    """
    net = trained.net.to(memory_format=torch.contiguous_format)
    whole = WithPreprocessing(net, trained.preprocess.spec).eval() if preprocessing else net
    inputs = images if preprocessing else trained.preprocess(images).contiguous()
    with _quietly():
        program = torch.onnx.export(
            whole,
            (inputs[:2],),
            dynamo=True,
            opset_version=OPSET,
            input_names=["images"],
            output_names=["probabilities" if preprocessing else "logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _describe(model, trained, preprocessing)
    content = model.SerializeToString(deterministic=True)
    return Exported(content, _compare(whole, content, inputs, preprocessing))


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The exporter reports its progress, and warns of its own parts."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def interface(trained: Trained, preprocessing: bool) -> tuple[str, str]:
    """Descriptions of the input and the output of an exported model."""
    preprocess, classes = trained.preprocess, len(trained.classes)
    channels, size, side = preprocess.spec.in_channels, preprocess.spec.image_size, preprocess.stored_size
    if preprocessing:
        return f"images, uint8 (N, {channels}, {side}, {side})", f"probabilities (N, {classes})"
    return (
        f"images, float32 (N, {channels}, {size}, {size}): values in [0, 1], minus the mean, divided by the std",
        f"logits (N, {classes})",
    )


def _describe(model: Any, trained: Trained, preprocessing: bool) -> None:
    """Add the card, the classes, and descriptions of input and output to the metadata of a model."""
    card = json.dumps(trained.card)
    model.graph.doc_string = ""
    takes, gives = interface(trained, preprocessing)
    facts = {
        "cnnlab": card,
        "crc32": checksum_of(model, card),
        "preprocessing": str(preprocessing).lower(),
        "classes": json.dumps(trained.classes, ensure_ascii=False),
        "input": takes,
        "output": gives,
    }
    model.producer_name, model.doc_string = "cnnlab", trained.name
    for key, value in facts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value


def _compare(net: nn.Module, content: bytes, inputs: Tensor, preprocessing: bool) -> float:
    """The largest difference from PyTorch over the batches, relative to the largest number.

    Raises:
        ValueError: it is above TOLERANCE.
    """
    session = OnnxNetwork(content, preprocessing).session
    largest = 0.0
    for size in BATCHES:
        with torch.inference_mode():
            expected = net(inputs[:size])
        found = torch.from_numpy(session.run(None, {"images": inputs[:size].numpy()})[0])
        largest = max(largest, float((found - expected).abs().max() / expected.abs().max()))
    if not largest <= TOLERANCE:
        raise ValueError(f"the ONNX model differs from PyTorch by {largest:.1e} of the largest result")
    return largest
