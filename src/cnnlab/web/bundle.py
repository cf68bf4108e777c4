"""One HTML file that carries a network, some images and the programs that run and show it."""

import base64
import gzip
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor

from cnnlab.runs.trained_network import Trained
from cnnlab.web.graph import Graph, graph_of

PAGE = files("cnnlab.web") / "page"
SINGLE_BELOW = 2**20  # bytes of float32 weights that are not rounded


@dataclass(frozen=True)
class Embedded:
    """A network as a page carries it.

    Attributes:
        facts: name, classes, normalization and operations.
        weights: all tensors one after another.
    """

    facts: Mapping[str, Any]
    weights: bytes


def embedded(trained: Trained, graph: Graph | None = None) -> Embedded:
    """The network of `trained` for a page; filters above one mebibyte are rounded to float16.

    Raises:
        Unsupported: the page's engine does not know one of its operations.
    """
    spec = trained.preprocess.spec
    graph = graph or graph_of(trained.net, spec)
    halves = rounded(graph.tensors)
    nodes = [
        {key: getattr(node, key) for key in ("name", "module", "operation", "inputs", "arguments", "weights", "shape")}
        for node in graph.nodes
    ]
    facts = {
        "name": trained.card["network"]["name"],
        "data": trained.card["data"]["name"],
        "classes": trained.classes,
        "spec": {
            "mean": spec.mean,
            "std": spec.std,
            "image_size": spec.image_size,
            "stored_size": trained.preprocess.stored_size,
            "drawing": None if spec.drawing is None else vars(spec.drawing),
        },
        "nodes": nodes,
        "tensors": [{"shape": list(tensor.shape), "half": tensor.dtype == torch.float16} for tensor in halves],
    }
    return Embedded(facts, b"".join(tensor.numpy().tobytes() for tensor in halves))


def rounded(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors as a page stores them: filters and matrices in float16, unless all of them are small."""
    single = 4 * sum(tensor.numel() for tensor in tensors) < SINGLE_BELOW
    return [tensor if single else halved(tensor) for tensor in tensors]


def halved(tensor: Tensor) -> Tensor:
    """A filter or a matrix in float16; anything else unchanged."""
    return tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor


def document(
    title: str, entry: str, networks: Sequence[Embedded], images: Tensor, labels: Sequence[str], language: str = "en"
) -> str:
    """The page.

    Args:
        title: of the window.
        entry: name of the module that starts the page, such as `explorer`.
        networks: one or two.
        images: uint8 (N, C, H, W).
        labels: names of the images' classes.
        language: `en` or `zh`.
    """
    data = [_script("kernel", "text/plain", _packed(PAGE.joinpath("kernel.wasm").read_bytes()))]
    for number, network in enumerate(networks):
        data.append(_script(f"network{number}-graph", "application/json", _json(network.facts)))
        data.append(_script(f"network{number}-weights", "text/plain", _packed(network.weights)))
    facts = {"shape": list(images.shape[1:]), "labels": list(labels)}
    data.append(_script("images-facts", "application/json", _json(facts)))
    data.append(_script("images-pixels", "text/plain", _packed(images.contiguous().numpy().tobytes())))
    modules = {
        f"cnnlab/{file.name}": f"data:text/javascript;base64,{_base64(file.read_bytes())}"
        for file in sorted(PAGE.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".js")
    }
    style = PAGE.joinpath(f"{entry}.css")
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="{language}">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html.escape(title)}</title>",
            f"<style>\n{style.read_text(encoding='utf-8')}</style>" if style.is_file() else "",
            f'<script type="importmap">{_json({"imports": modules})}</script>',
            "</head>",
            f'<body data-language="{language}">',
            *data,
            f'<script type="module">import "cnnlab/{entry}.js";</script>',
            "</body>",
            "</html>",
            "",
        ]
    )


def _script(identifier: str, kind: str, text: str) -> str:
    return f'<script id="{identifier}" type="{kind}">{text}</script>'


def _json(value: Any) -> str:
    """JSON that cannot end the script element in which it stands."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _packed(content: bytes) -> str:
    return _base64(gzip.compress(content, 9, mtime=0))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
