"""The page's engine computes what PyTorch computes, layer by layer."""

import base64
import warnings

import numpy as np
import pytest
import torch
from torch import fx

from cnnlab.build.check import build_network
from cnnlab.config.compose import compose
from cnnlab.config.folders import choices
from cnnlab.image_spec import ImageSpec
from cnnlab.preprocessing import Preprocessing
from cnnlab.runs.trained_network import Trained
from cnnlab.web.bundle import PAGE, document, embedded, rounded
from cnnlab.web.graph import Graph, graph_of
from cnnlab.web.operations import Unsupported
from tests.web.browser import needs_browser, opened

LARGE = {
    "nin_d2l", "googlenet_d2l",
    "alexnet", "alexnet_2012", "densenet121", "googlenet", "googlenet_bn", "plain34", "plain56", "resnet34", "resnet44",
    "resnet50", "resnet56", "resnet110", "resnext29_32x4d", "resnext29_8x64d", "vgg11", "vgg11_bn", "vgg13",
    "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "wrn_28_10", "zfnet", "nin", "preact_resnet18", "plain18",
    "mobilenet_v1", "mobilenet_v2", "plain20", "resnet18", "resnet32", "se_resnet18",
}  # fmt: skip
ARITHMETIC_LARGE = ("resnet20", "mobilenet_v2", "se_resnet18", "googlenet", "zfnet")
RUN = """
async ([images, shape]) => {
    const { Engine } = await import("cnnlab/engine.js");
    const { readKernel, readNetwork } = await import("cnnlab/reading.js");
    const engine = new Engine(await readNetwork("network0"), await readKernel());
    if (!engine.matmul.kernel) throw new Error("the kernel was not loaded");
    const packed = (data) => {
        const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
        let text = "";
        for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
        return btoa(text);
    };
    return images.map((image) => engine.run(new Float32Array(image)).map((result) => packed(result.data)));
}
"""


def subject(name: str, size: int = 32) -> tuple[Trained, list[torch.Tensor]]:
    """A network with random weights and batch statistics, rounded as the page stores them, and images for it."""
    torch.manual_seed(0)
    spec = ImageSpec(3, size, 10, tuple("abcdefghij"), (0.5,) * 3, (0.25,) * 3)
    net = build_network(compose("train", [f"model={name}", "data=cifar10"]).model, spec)
    images = torch.randn(20, *spec.shape)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net.train()(images)  # moves the statistics of batch norm away from 0 and 1
        if any(tensor.dtype == torch.float16 for tensor in rounded(list(net.state_dict().values()))):
            for value in net.state_dict().values():
                value.copy_(value.half().float() if value.ndim > 1 else value)
    card = {"network": {"name": name}, "data": {"name": "cifar10"}}
    return Trained(net.eval(), card, Preprocessing(spec, size)), list(images)


class Recorder(fx.Interpreter):
    """Keeps the result of every call."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.results: dict[str, torch.Tensor] = {}

    def run_node(self, n: fx.Node):
        result = super().run_node(n)
        self.results[n.name] = result
        return result


def layers_of(trained: Trained, graph: Graph, image: torch.Tensor) -> list[np.ndarray]:
    """PyTorch's result of each node of the graph."""
    recorder = Recorder(torch.export.export(trained.net, (image[None],)).module())
    with torch.no_grad():
        recorder.run(image[None])
    found = [recorder.results[node.origin] for node in graph.nodes]
    return [(value[0] if isinstance(value, tuple) else value).detach().reshape(-1).numpy() for value in found]


@needs_browser
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else []) for name in choices("model")]
)
def test_every_layer_equals_pytorchs(name, tmp_path):
    trained, images = subject(name, size=96 if name == "nin_d2l" else 32)
    graph = graph_of(trained.net, trained.preprocess.spec)
    path = tmp_path / "page.html"
    path.write_text(document(name, "engine", [embedded(trained, graph)], torch.zeros(1, 3, 32, 32), ["a"]))
    count = 20 if name == "lenet5" else 2
    with opened(path) as page:
        found = page.evaluate(RUN, [[image.flatten().tolist() for image in images[:count]], list(images[0].shape)])
    for image, results in zip(images, found, strict=False):
        expected = layers_of(trained, graph, image)
        for node, text, reference in zip(graph.nodes, results, expected, strict=True):
            computed = np.frombuffer(base64.b64decode(text), dtype=np.float32)
            assert np.abs(computed - reference).max() <= 1e-4 * np.abs(reference).max(), node.name


def test_an_unknown_operation_is_named():
    class Sorting(torch.nn.Module):
        def forward(self, x):
            return x.flatten(1).sort(1).values

    with pytest.raises(Unsupported, match="sort"):
        graph_of(Sorting(), ImageSpec(1, 8, 10))


def test_the_kernel_is_assembled_from_its_source():
    wasmtime = pytest.importorskip("wasmtime")
    source = PAGE.joinpath("kernel.wat").read_text()
    assert bytes(wasmtime.wat2wasm(source)) == PAGE.joinpath("kernel.wasm").read_bytes()


ARITHMETIC = """
async (image) => {
    const { Engine } = await import("cnnlab/engine.js");
    const { readKernel, readNetwork } = await import("cnnlab/reading.js");
    const { arithmeticOf } = await import("cnnlab/arithmetic.js");
    const { receptiveField } = await import("cnnlab/receptive.js");
    const engine = new Engine(await readNetwork("network0"), await readKernel());
    const results = engine.run(new Float32Array(image));
    const last = results.map(({ data }) => data.length - 1);
    const units = engine.nodes.flatMap((_, i) => (i ? [[i, 0], [i, last[i] >> 1], [i, last[i]]] : []));
    const fields = engine.nodes.map(({ shape }, i) =>
        receptiveField(engine, i, (shape[1] ?? 1) >> 1, (shape[2] ?? 1) >> 1));
    return {
        fields: fields.map(({ top, left, bottom, right }) => [top, left, bottom, right]),
        sums: units.map(([index, unit]) => {
            const shown = arithmeticOf(engine, results, index, unit);
            return [engine.nodes[index].name, shown.result, results[index].data[unit]];
        }),
    };
}
"""


def dependence(trained: Trained, graph: Graph, image: torch.Tensor) -> list[list[int]]:
    """The part of the image on which the middle unit of each node's first channel depends, by gradients."""
    x = image[None].clone().requires_grad_()
    recorder = Recorder(torch.export.export(trained.net, (x,)).module())
    recorder.run(x)
    found = []
    for node in graph.nodes:
        value = recorder.results[node.origin]
        place = [side // 2 for side in value.shape[2:]]
        gradient = torch.autograd.grad(value[(0, slice(None), *place)].sum(), x, retain_graph=True)[0][0].abs().sum(0)
        rows, columns = gradient.sum(1).nonzero(), gradient.sum(0).nonzero()
        found.append([int(rows[0]), int(columns[0]), int(rows[-1]), int(columns[-1])])
    return found


@needs_browser
@pytest.mark.parametrize(
    "name",
    ["lenet5", "lenet5_1998", *(pytest.param(name, marks=pytest.mark.slow) for name in ("fastnet", *ARITHMETIC_LARGE))],
)
def test_the_sum_that_is_written_out_is_the_unit(name, tmp_path):
    trained, images = subject(name)
    graph = graph_of(trained.net, trained.preprocess.spec)
    path = tmp_path / "page.html"
    path.write_text(document(name, "engine", [embedded(trained, graph)], torch.zeros(1, 3, 32, 32), ["a"]))
    with opened(path) as page:
        found = page.evaluate(ARITHMETIC, images[0].flatten().tolist())
    for node, shown, computed in found["sums"]:
        assert shown == pytest.approx(computed, rel=1e-4, abs=1e-4), node
    if name == "lenet5":
        assert found["fields"] == dependence(trained, graph, images[0])
