"""ONNX files: every network exports, and gives what PyTorch gives."""

import pytest
import torch

from cnnlab.build.check import build_network
from cnnlab.config.compose import compose
from cnnlab.config.folders import choices
from cnnlab.image_spec import ImageSpec
from cnnlab.preprocessing import Preprocessing
from cnnlab.runs.trained_network import Trained

pytest.importorskip("onnxruntime")

from cnnlab.export import onnx_file
from cnnlab.export.onnx_file import export_onnx
from cnnlab.runs.onnx_network import OnnxNetwork

SMALL = {"lenet5", "mlp", "fastnet", "cnn"}


def trained_of(name: str, stored: int = 32, size: int = 32) -> tuple[Trained, torch.Tensor]:
    """A network with random weights, and bytes as images."""
    torch.manual_seed(0)
    spec = ImageSpec(3, size, 10, tuple("abcdefghij"), (0.5, 0.4, 0.3), (0.25, 0.2, 0.3))
    net = build_network(compose("train", [f"model={name}", "data=cifar10"]).model, spec).eval()
    card = {"network": {"name": name}, "data": {"name": "cifar10"}}
    images = torch.randint(256, (8, 3, stored, stored), dtype=torch.uint8)
    return Trained(net, card, Preprocessing(spec, stored)), images


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in SMALL else [pytest.mark.slow]) for name in choices("model")]
)
def test_every_network_exports_and_is_compared(name):
    size = 96 if name == "nin_d2l" else 32  # the smallest is 67
    trained, images = trained_of(name, size, size)
    exported = export_onnx(trained, images, preprocessing=True)
    assert exported.difference <= 1e-4
    with torch.inference_mode():
        expected = trained(trained.preprocess(images)).softmax(1)
        found = OnnxNetwork(exported.content, has_preprocessing=True)(images.float()).softmax(1)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def test_without_preprocessing_the_model_gives_logits():
    trained, images = trained_of("lenet5")
    exported = export_onnx(trained, images, preprocessing=False)
    x = trained.preprocess(images)
    with torch.inference_mode():
        found = OnnxNetwork(exported.content, has_preprocessing=False)(x)
        torch.testing.assert_close(found, trained(x), rtol=1e-3, atol=1e-5)


def test_an_image_is_enlarged_inside_the_model():
    trained, images = trained_of("lenet5", stored=24, size=32)
    exported = export_onnx(trained, images, preprocessing=True)
    with torch.inference_mode():
        found = OnnxNetwork(exported.content, has_preprocessing=True)(images.float()).softmax(1)
        torch.testing.assert_close(found, trained(trained.preprocess(images)).softmax(1), rtol=1e-3, atol=1e-5)


def test_a_model_that_differs_is_refused(monkeypatch):
    trained, images = trained_of("mlp")
    monkeypatch.setattr(onnx_file, "TOLERANCE", -1)
    with pytest.raises(ValueError, match="the ONNX model differs from PyTorch by "):
        export_onnx(trained, images, preprocessing=True)


def test_the_same_network_gives_the_same_bytes():
    trained, images = trained_of("lenet5")
    first = export_onnx(trained, images, preprocessing=True).content
    assert export_onnx(trained, images, preprocessing=True).content == first
